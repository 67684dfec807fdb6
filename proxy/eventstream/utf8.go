package eventstream

import "unicode/utf8"

// decodeUTF8 returns b with what is not UTF-8 in it replaced as the WHATWG
// Encoding standard's decoder does: one U+FFFD for each maximal part of a
// character (neither one for each byte, as in a conversion to runes, nor one
// for each run of bad bytes, as in bytes.ToValidUTF8). If there is nothing to
// replace, it returns b itself.
//
// CR, LF, colon and space are never part of a longer character, so lines and
// fields may be cut before they are decoded.
func decodeUTF8(b []byte) []byte {
	if utf8.Valid(b) {
		return b
	}
	out := make([]byte, 0, len(b)+utf8.UTFMax)
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		if r == utf8.RuneError && n == 1 {
			n = badPrefix(b)
		}
		out = utf8.AppendRune(out, r)
		b = b[n:]
	}
	return out
}

// badPrefix returns how many bytes at the start of b, which does not start
// with a character, are the beginning of one; at least 1.
func badPrefix(b []byte) int {
	n := 1
	for n < len(b) && !utf8.FullRune(b[:n+1]) {
		n++
	}
	return n
}
