package proxy

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// isMethod reports whether name can be that of requests (RFC 9110 section
// 9.1). Those in lower case are mistakes.
func isMethod(name string) bool {
	return httpguts.ValidHeaderFieldName(name) && strings.ToUpper(name) == name
}

// variableName is what names of variables are, as in [adapters.PathVariables].
var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

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
