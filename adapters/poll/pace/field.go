package pace

import (
	"iter"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// maxField is the longest header field that is looked at, in bytes, all its
// lines together. A longer one counts as absent.
const maxField = 4 << 10

// field returns the value of a field. The lines of one that is sent several
// times are joined (RFC 9110, section 5.3), which spoils those that may only
// be sent once.
func field(h http.Header, name string) string {
	lines := h.Values(name)
	size := 0
	for _, line := range lines {
		if size += len(line) + 1; size > maxField {
			return ""
		}
	}
	return strings.Join(lines, ",")
}

// split yields the parts of s between separators that aren't in a quoted
// string (RFC 9110, section 5.6.4), without the white space around them.
func split(s string, separator byte) iter.Seq[string] {
	return func(yield func(string) bool) {
		start, quoted := 0, false
		for i := 0; i < len(s); i++ {
			switch c := s[i]; {
			case c == '"':
				quoted = !quoted
			case quoted && c == '\\':
				i++
			case !quoted && c == separator:
				if !yield(strings.TrimSpace(s[start:i])) {
					return
				}
				start = i + 1
			}
		}
		yield(strings.TrimSpace(s[start:]))
	}
}

// pair returns the two sides of "name=value", the name in lower case.
func pair(s string) (name, value string) {
	name, value, _ = strings.Cut(s, "=")
	return strings.ToLower(strings.TrimSpace(name)), strings.TrimSpace(value)
}

// number returns the value of decimal digits. A fraction, which some vendors
// send, is rounded up, and what doesn't fit is the largest number (RFC 9111,
// section 1.2.2, wants a large one). Anything else, a sign included, is not
// ok.
func number(s string) (n int64, ok bool) {
	whole, fraction, _ := strings.Cut(s, ".")
	if whole == "" || !digits(whole) || !digits(fraction) {
		return 0, false
	}
	n, err := strconv.ParseInt(whole, 10, 64)
	if err != nil {
		return math.MaxInt64, true // the digits are too many
	}
	if strings.Trim(fraction, "0") != "" && n < math.MaxInt64 {
		n++
	}
	return n, true
}

func digits(s string) bool { return strings.Trim(s, "0123456789") == "" }

// seconds returns n seconds as a duration from 0 to [MaxWait].
func seconds(n int64) time.Duration {
	return time.Duration(min(max(n, 0), int64(MaxWait/time.Second))) * time.Second
}
