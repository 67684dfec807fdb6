package proxy

import (
	"fmt"
	"net/http"
	"strings"
)

// ExplainedPages are the pages of other origins that may read a stream.
type ExplainedPages struct {
	Origins     []string `json:"origins"`          // as configured
	Credentials bool     `json:"credentials"`      // they may send them along
	Headers     []string `json:"headers"`          // that they may send
	Origin      string   `json:"origin,omitempty"` // the request's
	Allowed     bool     `json:"allowed"`          // Origin is one of them
}

// explainPages returns those of route, nil if there are none and r doesn't come
// from any.
func explainPages(route *Route, r *http.Request) *ExplainedPages {
	origin := r.Header.Get("Origin")
	if route.cors == nil {
		if origin == "" {
			return nil
		}
		return &ExplainedPages{Origins: []string{}, Headers: []string{}, Origin: origin}
	}
	return &ExplainedPages{
		Origins: route.CORS.Origins, Credentials: route.CORS.Credentials, Headers: route.CORS.allowedHeaders(route.Method),
		Origin: origin, Allowed: origin != "" && route.cors.OriginAllowed(r),
	}
}

// reason says what the route grants, or why it doesn't.
func (p *preflight) reason() string {
	r, h := p.request, p.request.Header
	origin := h.Get("Origin")
	switch {
	case p.granted():
		return "for a " + h.Get("Access-Control-Request-Method") + " by a page of " + shown(origin)
	case origin == "":
		return "it asks by what origin a page may get the stream, and names none"
	case !p.route.cors.OriginAllowed(r):
		return fmt.Sprintf("pages of %s may not get its stream (cors.origins)", shown(origin))
	default:
		return fmt.Sprintf("pages may not send it all of %s (cors.headers)", shown(strings.Join(h.Values("Access-Control-Request-Headers"), ",")))
	}
}
