package payload

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

// space is what JSON (RFC 8259, section 2) and XML (section 2.3) both take for
// white space.
const space = " \t\r\n"

// checkJSON returns what is wrong with text, which is to be one JSON text.
// encoding/json bounds its depth.
func checkJSON(text []byte) error {
	if json.Valid(text) {
		return nil
	}
	var (
		raw    json.RawMessage
		syntax *json.SyntaxError
	)
	if errors.As(json.Unmarshal(text, &raw), &syntax) {
		return fmt.Errorf("it is not JSON, at byte %d of %d", syntax.Offset, len(text))
	}
	return errors.New("it is not JSON")
}

// recordSeparator starts each text of a JSON text sequence (RFC 7464).
const recordSeparator = 0x1e

// ndjson returns the texts in a body as one array.
func ndjson(body []byte) ([]byte, error) {
	separator, what := []byte{'\n'}, "line"
	start := bytes.TrimLeft(body, space)
	sequence := len(start) > 0 && start[0] == recordSeparator
	if sequence {
		separator, what = []byte{recordSeparator}, "record"
		body = start[1:]
	}
	out := make([]byte, 0, len(body)+2)
	out = append(out, '[')
	number := 0
	for line := range bytes.SplitSeq(body, separator) {
		number++
		text := bytes.Trim(line, space)
		if len(text) == 0 {
			continue
		}
		if !json.Valid(text) || sequence && isCut(line) {
			return nil, fmt.Errorf("its %s %d is not JSON", what, number)
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(out, text...)
	}
	return append(out, ']'), nil
}

// isCut reports whether a record could be longer than it is: only white space
// tells the end of a number or a literal (RFC 7464, section 2.4).
func isCut(record []byte) bool {
	switch record[len(record)-1] {
	case '}', ']', '"', ' ', '\t', '\r', '\n':
		return false
	default:
		return true
	}
}

// appendString appends s, which is UTF-8, as a JSON string.
func appendString[T string | []byte](out []byte, s T) []byte {
	const hex = "0123456789abcdef"
	out = append(out, '"')
	done := 0
	for i := range len(s) {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		out = append(out, s[done:i]...)
		done = i + 1
		switch c {
		case '"', '\\':
			out = append(out, '\\', c)
		case '\n':
			out = append(out, `\n`...)
		case '\r':
			out = append(out, `\r`...)
		case '\t':
			out = append(out, `\t`...)
		default:
			out = append(out, '\\', 'u', '0', '0', hex[c>>4], hex[c&0xf])
		}
	}
	out = append(out, s[done:]...)
	return append(out, '"')
}
