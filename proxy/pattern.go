package proxy

import (
	"fmt"
	"net/http"
	"path"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// isMethod reports whether name can be that of requests (RFC 9110 section
// 9.1). Those in lower case are mistakes.
func isMethod(name string) bool {
	return httpguts.ValidHeaderFieldName(name) && strings.ToUpper(name) == name
}

var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// pathVariables checks a path pattern and returns the names of its
// variables.
func pathVariables(pattern string) ([]string, error) {
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
		name, ok := strings.CutPrefix(segment, "{")
		name, closed := strings.CutSuffix(name, "}")
		name, wildcard := strings.CutSuffix(name, "...")
		switch {
		case !ok || !closed || !variableName.MatchString(name):
			return nil, fmt.Errorf(`%q: a variable is a whole segment, "{name}", or "{name...}" as the last one`, segment)
		case wildcard && i != len(segments)-1:
			return nil, fmt.Errorf("%q can only be the last segment", segment)
		case slices.Contains(names, name):
			return nil, fmt.Errorf("the variable %q stands there twice", name)
		}
		names = append(names, name)
	}
	return names, nil
}

// muxPattern is the pattern of requests for the route's stream in the language of [http.ServeMux], whose
// rules of precedence hold: the more specific pattern wins, and two patterns
// of which neither is more specific conflict.
func (r *Route) muxPattern() string { return r.Method + " " + r.pathPattern() }

// pathPattern is muxPattern for any method.
func (r *Route) pathPattern() string { return muxPath(r.Host, r.Path) }

func muxPath(host, path string) string {
	p := host + path
	if strings.HasSuffix(p, "/") {
		p += "{$}"
	}
	return p
}

// handle registers h. ServeMux panics at a pattern that it can't take.
func handle(mux *http.ServeMux, pattern string, h http.Handler) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%v", p)
		}
	}()
	mux.Handle(pattern, h)
	return nil
}
