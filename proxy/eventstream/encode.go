package eventstream

import (
	"bytes"
	"errors"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Heartbeat is an empty comment: it shows proxies and servers that the
// connection is alive, and clients ignore it.
const Heartbeat = ":\n"

// Bounds, in bytes, of what goes before the payload.
const (
	MaxID   = 1024 // longest id; clients carry it back in a request header
	MaxType = 1024 // longest event type
)

// Why an event can't be written.
var (
	// ErrID says that an id is not [ValidID].
	ErrID = errors.New("event id is not printable ASCII of at most 1024 bytes")
	// ErrType says that a type is not [ValidType].
	ErrType = errors.New("event type has a line break, is not UTF-8, or exceeds 1024 bytes")
	// ErrData says that a payload is not UTF-8. It has to be turned into
	// text, by Base64 for instance, before it can be sent.
	ErrData = errors.New("event data is not UTF-8")
)

// An Event is one event on the wire.
type Event struct {
	// ID is the event's id, which a client sends back as Last-Event-ID.
	// When written, empty means no id line; when read, it is the newest id
	// of the stream as of this event, empty if there was none.
	ID string

	// Type is the event's type. When written, empty means the default; when
	// read, the default is "message".
	Type string

	// Data is the payload. It may be empty and may hold line breaks.
	Data []byte
}

// AppendEvent appends the block of e to dst and returns the extended slice.
// If e can't be written, it returns dst as it was and [ErrID], [ErrType] or
// [ErrData].
func AppendEvent(dst []byte, e *Event) ([]byte, error) {
	switch {
	case e.ID != "" && !ValidID(e.ID):
		return dst, ErrID
	case !ValidType(e.Type):
		return dst, ErrType
	case !utf8.Valid(e.Data):
		return dst, ErrData
	}
	if e.ID != "" {
		dst = append(dst, "id: "...)
		dst = append(dst, e.ID...)
		dst = append(dst, '\n')
	}
	if e.Type != "" {
		dst = append(dst, "event: "...)
		dst = append(dst, e.Type...)
		dst = append(dst, '\n')
	}
	dst = appendLines(dst, "data:", e.Data)
	return append(dst, '\n'), nil
}

// AppendRetry appends a line that tells the client to wait for d before it
// reconnects. The wire counts whole milliseconds: d is rounded up to them,
// and less than zero is zero.
func AppendRetry(dst []byte, d time.Duration) []byte {
	ms := int64(d / time.Millisecond)
	if d%time.Millisecond > 0 {
		ms++
	}
	dst = append(dst, "retry: "...)
	dst = strconv.AppendInt(dst, max(ms, 0), 10)
	return append(dst, '\n')
}

// AppendComment appends text as a comment, one line for each of its own. What
// is not UTF-8 in it is replaced by U+FFFD.
func AppendComment(dst []byte, text string) []byte {
	return appendLines(dst, ":", []byte(strings.ToValidUTF8(text, "\uFFFD")))
}

// ValidID reports whether id may be written as an event's id: at least one
// and at most [MaxID] characters, all of them printable ASCII other than the
// space (0x21 to 0x7E).
func ValidID(id string) bool {
	if id == "" || len(id) > MaxID {
		return false
	}
	for i := range len(id) {
		if c := id[i]; c <= ' ' || c > '~' {
			return false
		}
	}
	return true
}

// ValidType reports whether t may be written as an event's type: UTF-8
// without CR and LF, of at most [MaxType] bytes. Empty is valid and means the
// default.
func ValidType(t string) bool {
	return len(t) <= MaxType && !strings.ContainsAny(t, "\r\n") && utf8.ValidString(t)
}

// appendLines appends each line of text as a line of its own that starts with
// field. A line break at the end of text is followed by one more line, an
// empty one.
func appendLines(dst []byte, field string, text []byte) []byte {
	for {
		// Up to the next LF, and within that from CR to CR: each byte is
		// looked at once for either.
		part, last := text, true
		if i := bytes.IndexByte(text, '\n'); i >= 0 {
			part, text, last = text[:i], text[i+1:], false
			part = bytes.TrimSuffix(part, []byte{'\r'})
		}
		for {
			i := bytes.IndexByte(part, '\r')
			if i < 0 {
				break
			}
			dst = appendLine(dst, field, part[:i])
			part = part[i+1:]
		}
		dst = appendLine(dst, field, part)
		if last {
			return dst
		}
	}
}

// appendLine appends one line. The space before the text is the one that a
// reader takes off, so that text which starts with a space keeps it.
func appendLine(dst []byte, field string, line []byte) []byte {
	dst = append(dst, field...)
	if len(line) > 0 {
		dst = append(dst, ' ')
		dst = append(dst, line...)
	}
	return append(dst, '\n')
}
