package proxy

import (
	"fmt"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
)

// match returns the route with a pattern that r matches, nil if there is none.
func (t *router) match(r *http.Request) *Route {
	h, pattern := t.streams.Handler(lowerHost(r))
	if !isRouted(h) {
		return nil
	}
	if c := t.claims[claim{pattern: pattern}]; c != nil {
		return c
	}
	return t.claims[claim{pattern: pattern, ingest: true}]
}

// explainRoute says why c takes r, or doesn't. match is the route that r
// matches, nil for none, and taken says that it takes r.
func explainRoute(c, match *Route, r *http.Request, taken bool) ExplainedRoute {
	e := ExplainedRoute{Line: c.line, Route: c.String(), Adapter: c.Adapter}
	switch {
	case c == match && taken:
		e.Taken = true
	case c == match:
		e.Why = "it matches, but " + whyNotStream(r.Header)
	default:
		e.Why = strings.Join(c.mismatches(r), "; ")
		if e.Why == "" && match != nil {
			e.Why = fmt.Sprintf("it matches, but the route in line %d is more specific", match.line)
		}
	}
	return e
}

// explainIngest adds to why, which says how req is none for the route's stream,
// what it has to do with those that bring events.
func (r *Route) explainIngest(req *http.Request, why string) string {
	in, ok := r.ingest()
	req = lowerHost(req)
	if !ok || !matches(muxPath(r.Host, in.Path), req) {
		return why
	}
	what := "as a request that brings events to " + in.Path
	switch {
	case !slices.ContainsFunc(r.claims(), func(c claim) bool { return c.ingest && matches(c.pattern, req) }):
		what += " it would be " + strings.Join(in.Methods, " or ")
	case in.Address != "":
		what += ", it is taken at " + in.Address + " only"
	}
	if why == "" {
		return what
	}
	return why + "; " + what
}

// whyNotStream says why negotiate doesn't give a stream to a request with
// these headers.
func whyNotStream(h http.Header) string {
	for r := range acceptRanges(h) {
		if r.typ == eventStreamType && r.q > 0 {
			return "its Accept likes another type better than " + eventStreamType
		}
	}
	return "its Accept doesn't ask for " + eventStreamType
}

// mismatches says in what r is not the request that the route is for. What
// decides is ServeMux, as in service.
func (r *Route) mismatches(req *http.Request) []string {
	req = lowerHost(req)
	var list []string
	if anywhere := (&Route{Path: r.Path}).pathPattern(); !matches(anywhere, req) {
		list = append(list, "path: "+r.pathMismatch(req.URL))
	}
	root := *req
	root.URL = &url.URL{Path: "/"}
	if !matches(r.Method+" /", &root) {
		list = append(list, fmt.Sprintf("method: it takes %s, not %s", r.Method, req.Method))
	}
	if !matches(r.Host+"/", &root) {
		is := fmt.Sprintf("not %q", shown(req.Host))
		if req.Host == "" {
			is = "and the request has none"
		}
		list = append(list, "host: it takes "+r.Host+", "+is)
	}
	return list
}

// matches reports whether ServeMux takes r for pattern.
func matches(pattern string, r *http.Request) bool {
	mux := http.NewServeMux()
	if handle(mux, pattern, routed{}) != nil {
		return false
	}
	h, _ := mux.Handler(r)
	return isRouted(h)
}

// pathMismatch says where the path of u, which the route's pattern doesn't
// match, leaves it.
func (r *Route) pathMismatch(u *url.URL) string {
	if clean := path.Clean(u.Path); clean != u.Path && clean+"/" != u.Path {
		return fmt.Sprintf("it isn't clean; %q would be", shown(clean))
	}
	want := strings.Split(r.Path[1:], "/")
	got := strings.Split(strings.TrimPrefix(u.EscapedPath(), "/"), "/")
	for i, w := range want {
		if i == len(got) {
			if w == "" {
				return "it lacks the slash at the end"
			}
			return "it ends before the route's /" + w
		}
		g := got[i]
		if s, err := url.PathUnescape(g); err == nil {
			g = s
		}
		switch {
		case strings.HasSuffix(w, "...}"):
			return "it doesn't match"
		case strings.HasPrefix(w, "{"):
			if g == "" {
				return fmt.Sprintf("segment %d, %s, is empty", i+1, w)
			}
		case w == "":
			return fmt.Sprintf("it goes on after the route's end, with %q", shown(g))
		case g != w:
			return fmt.Sprintf("segment %d is %q, not %q", i+1, shown(g), w)
		}
	}
	switch {
	case len(got) == len(want)+1 && got[len(want)] == "":
		return "it has a slash too many at the end"
	case len(got) > len(want):
		return fmt.Sprintf("it goes on after the route's end, with %q", shown(got[len(want)]))
	}
	return "it doesn't match"
}

// shown is what is shown of a part of a request.
func shown(s string) string {
	const most = 64
	if len(s) > most {
		return strings.ToValidUTF8(s[:most], "") + "…"
	}
	return s
}
