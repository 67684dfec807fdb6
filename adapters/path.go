package adapters

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
)

var pathVariable = regexp.MustCompile(`^\{([A-Za-z_][A-Za-z0-9_]*)(\.\.\.)?\}$`)

// PathVariables returns the names of the variables in a path pattern, in the
// order in which they stand there, or why it isn't one.
//
// A pattern begins with "/" and is clean: it has neither empty segments nor "."
// or "..". A segment "{name}" stands for any one segment, and a last "{name...}"
// for all that remains, slashes included. Names are of letters, digits and "_",
// don't begin with a digit, and are there once each. Other segments stand for
// themselves and have no braces. A "/" at the end stands for itself too.
func PathVariables(pattern string) ([]string, error) {
	if !strings.HasPrefix(pattern, "/") {
		return nil, fmt.Errorf(`%q must start with "/"`, pattern)
	}
	if clean := path.Clean(pattern); clean != pattern && clean+"/" != pattern {
		return nil, fmt.Errorf("%q would never match, since it isn't clean; %q would", pattern, clean)
	}
	var names []string
	segments := strings.Split(pattern[1:], "/")
	for i, segment := range segments {
		if !strings.ContainsAny(segment, "{}") {
			continue
		}
		parts := pathVariable.FindStringSubmatch(segment)
		switch {
		case parts == nil:
			return nil, fmt.Errorf(`%q: a variable is a whole segment, "{name}", or "{name...}" as the last one`, segment)
		case parts[2] != "" && i != len(segments)-1:
			return nil, fmt.Errorf("%q can only be the last segment", segment)
		case slices.Contains(names, parts[1]):
			return nil, fmt.Errorf("the variable %q stands there twice", parts[1])
		}
		names = append(names, parts[1])
	}
	return names, nil
}
