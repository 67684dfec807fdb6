package secret

import (
	"strings"

	"sidestream/adapters"
)

// ReasonUnavailable is what clients may be told when a secret can't be had:
// the reason of a [Reader]'s errors.
const ReasonUnavailable = "upstream credentials not available"

// maxValue is the most that the file of a [Value] holds, in bytes.
const maxValue = 64 << 10

// A Reader gives a [Value] as it is now. It is safe for concurrent use.
type Reader struct {
	value Value
	file  *File // nil: the value is a text
}

// NewReader returns the reader of v, which is the value of the option with this
// path, for errors: "auth.password". It does no I/O.
func NewReader(option string, v Value) *Reader {
	return &Reader{value: v, file: NewFile(option, v.File, maxValue)}
}

// Read returns the text, which is empty for an absent value. An error is
// transient, with [ReasonUnavailable]: somebody may yet put the file there.
func (r *Reader) Read() (string, error) {
	if r.file == nil {
		return r.value.Reveal(), nil
	}
	data, err := r.file.Content()
	if err != nil {
		return "", adapters.Transient(ReasonUnavailable, err)
	}
	return trimLineEnd(string(data)), nil
}

// trimLineEnd returns s without one line end at its end, which editors add.
func trimLineEnd(s string) string {
	return strings.TrimSuffix(strings.TrimSuffix(s, "\n"), "\r")
}
