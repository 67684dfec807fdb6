package urltemplate

import (
	"errors"
	"fmt"
	"strings"
)

// Characters that aren't escaped besides letters and digits: in text that is
// part of a query value, and what may stand in a URL as well (RFC 3986,
// section 3.3 and 3.4).
const (
	plainChars = "-._~!$'()*,;:@/?"
	delimiters = "&+="
)

// escapeRest escapes what may not stand in a URL, and leaves alone what is
// escaped already.
func escapeRest(text string) (string, error) {
	for i := range len(text) {
		if text[i] == '%' && (i+2 >= len(text) || !isHex(text[i+1]) || !isHex(text[i+2])) {
			return "", errors.New("a % is followed by two hexadecimal digits; a % that is meant is written %25")
		}
	}
	return escapeExcept(text, plainChars+delimiters+"%")
}

// escapeText escapes what would be something else than text in the value of a
// query pair.
func escapeText(text string) (string, error) { return escapeExcept(text, plainChars) }

func escapeExcept(text, plain string) (string, error) {
	var b strings.Builder
	for i := range len(text) {
		c := text[i]
		switch {
		case c < ' ' || c == 0x7f:
			return "", errors.New("there is a control character in it")
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', strings.IndexByte(plain, c) >= 0:
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String(), nil
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}
