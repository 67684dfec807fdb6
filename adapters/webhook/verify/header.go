package verify

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// The bounds of what is read of a request.
const (
	maxHeader     = 4 << 10 // bytes of a header's value
	maxSignatures = 32      // in a header that has a list of them
)

// one returns the value of a header that has to be there once.
func one(r *http.Request, name string) (string, error) {
	values := r.Header[http.CanonicalHeaderKey(name)]
	if len(values) == 0 && http.CanonicalHeaderKey(name) == "Host" {
		values = []string{r.Host}
	}
	switch {
	case len(values) == 0:
		return "", refuse("header %s is missing", name)
	case len(values) > 1:
		return "", refuse("header %s is there %d times", name, len(values))
	case values[0] == "":
		return "", refuse("header %s is empty", name)
	case len(values[0]) > maxHeader:
		return "", refuse("header %s has more than %d bytes", name, maxHeader)
	}
	return values[0], nil
}

// told returns the value of the first of several headers that is there, as one
// would read it, or "".
func told(r *http.Request, names ...string) string {
	for _, name := range names {
		if name == "" {
			continue
		}
		if value, err := one(r, name); err == nil {
			return value
		}
	}
	return ""
}

// present returns the first of several names of one header that r has, and the
// first of all if it has none.
func present(r *http.Request, names ...string) string {
	for _, name := range names {
		if len(r.Header[http.CanonicalHeaderKey(name)]) > 0 {
			return name
		}
	}
	return names[0]
}

// unix returns the time that is n units after 1970, of which text is the
// decimal form: digits only, lest one time has several forms.
func unix(text string, unit time.Duration) (time.Time, error) {
	if text == "" || len(text) > 15 || strings.Trim(text, "0123456789") != "" {
		return time.Time{}, refuse("the timestamp is not a number of 1 to 15 digits")
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return time.Time{}, refuse("the timestamp is not a number")
	}
	if unit == time.Millisecond {
		return time.UnixMilli(n), nil
	}
	return time.Unix(n, 0), nil
}

// near returns why t is too far from now, or nil.
func near(t, now time.Time, tolerance time.Duration) error {
	switch age := now.Sub(t); {
	case age > tolerance:
		return refuse("the timestamp is too old: %s", t.UTC().Format(time.RFC3339))
	case age < -tolerance:
		return refuse("the timestamp is too far in the future: %s", t.UTC().Format(time.RFC3339))
	}
	return nil
}
