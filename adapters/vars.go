package adapters

import (
	"fmt"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxVar is the longest value of a variable, in bytes.
const MaxVar = 1024

// Vars are the values of a route's variables, by name: those of its path
// pattern and the query parameters that it names. They come from the client,
// decoded, and are data: never a part of a name upstream before they went
// through one of this type's methods, or through a check of the adapter's
// own.
//
// A query parameter that the request doesn't have is not in the map.
type Vars map[string]string

// Segment returns the value of name, escaped as one segment of a URL path.
// An empty value, one that could leave its segment once an upstream decodes
// it ("..", or anything with a slash or backslash), one with control
// characters, one that is not UTF-8 or is too long is [ErrBadVariable].
func (v Vars) Segment(name string) (string, error) {
	value := v[name]
	if err := checkSegment(value); err != nil {
		return "", fmt.Errorf("%w: %s: %w", ErrBadVariable, name, err)
	}
	return url.PathEscape(value), nil
}

// Path returns the value of name escaped as several segments of a URL path,
// each held to the rules of [Vars.Segment].
func (v Vars) Path(name string) (string, error) {
	segments := strings.Split(v[name], "/")
	for i, s := range segments {
		if err := checkSegment(s); err != nil {
			return "", fmt.Errorf("%w: %s: %w", ErrBadVariable, name, err)
		}
		segments[i] = url.PathEscape(s)
	}
	return strings.Join(segments, "/"), nil
}

// Query returns the value of name escaped for use in a URL's query. An
// absent variable is an empty value.
func (v Vars) Query(name string) (string, error) {
	if err := checkText(v[name]); err != nil {
		return "", fmt.Errorf("%w: %s: %w", ErrBadVariable, name, err)
	}
	return url.QueryEscape(v[name]), nil
}

func checkSegment(s string) error {
	switch {
	case s == "":
		return errEmpty
	case s == "." || s == "..":
		return errDots
	case strings.ContainsAny(s, `/\`):
		return errSlash
	}
	return checkText(s)
}

func checkText(s string) error {
	switch {
	case len(s) > MaxVar:
		return errLong
	case !utf8.ValidString(s):
		return errUTF8
	case strings.IndexFunc(s, unicode.IsControl) >= 0:
		return errControl
	}
	return nil
}

type varError string

func (e varError) Error() string { return string(e) }

const (
	errEmpty   varError = "is empty"
	errDots    varError = "is a relative path segment"
	errSlash   varError = "holds a path separator"
	errLong    varError = "is too long"
	errUTF8    varError = "is not UTF-8"
	errControl varError = "holds a control character"
)
