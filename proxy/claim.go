package proxy

import (
	"fmt"
	"net/http"
	"slices"

	"gopkg.in/yaml.v3"
)

// A claim is one pattern of requests that a route takes.
type claim struct {
	pattern string // in the language of [http.ServeMux]
	address string // of the listener; empty for the public ones
	ingest  bool   // they bring events
}

// claims are all requests that the route takes: first those for its stream.
func (r *Route) claims() []claim {
	list := []claim{{pattern: r.muxPattern()}}
	in, _ := r.ingest()
	for _, method := range in.Methods {
		list = append(list, claim{method + " " + muxPath(r.Host, in.Path), in.Address, true})
	}
	return list
}

// conflicts complains if r takes requests that an earlier route takes, or
// takes some where it can't.
func (l *loader) conflicts(i int, n *yaml.Node, r *Route, cfg *Config) {
	complain := l.complainer(n, fmt.Sprintf("routes[%d]", i))
	claims := r.claims()
	for j, c := range claims {
		field, takes, instead := "path", "takes", ""
		if c.ingest {
			field, takes, instead = r.Adapter, "takes, for events,", "; set ingest to another path"
		}
		for _, own := range claims[:j] {
			if err := conflict("this route itself", own, c); err != nil {
				complain(field, "%s %v%s", takes, err, instead)
				return
			}
		}
		for _, e := range cfg.Routes {
			for _, other := range e.claims() {
				if err := conflict(e.String(), other, c); err != nil {
					complain(field, "%s %v; the other route is in line %d%s", takes, err, e.line, instead)
					return
				}
			}
		}
	}
	field := r.Adapter + ".listen.address" // see [adapters.Ingest.Address]
	at, own := r.ingestAddress()
	taken := func(b Binding) bool { return b.Address == at.address }
	if own && (at.address == cfg.Admin || slices.ContainsFunc(cfg.Listen, taken)) {
		complain(field, `the address for requests that bring events, %s, is one of the table's own ("listen", "admin"); leave out listen.address (events come in at "listen" anyway), or choose another port`, at.address)
	}
	for _, e := range cfg.Routes {
		if other, ok := e.ingestAddress(); own && ok && other.address == at.address && other.secure != at.secure {
			complain(field, "of the routes whose events come in at %s either all have TLS or none; the other route is in line %d", at.address, e.line)
			return
		}
	}
}

// conflict returns why b can't stand in one table with the claim a of whoever
// is called name, or nil.
func conflict(name string, a, b claim) error {
	mux := http.NewServeMux()
	alone := handle(mux, a.pattern, http.NotFoundHandler()) == nil // otherwise it is no conflict of the two
	if a.address != b.address || !alone || handle(mux, b.pattern, http.NotFoundHandler()) == nil {
		return nil
	}
	if a.pattern == b.pattern {
		return fmt.Errorf("the same requests as %s", name)
	}
	return fmt.Errorf("some of the same requests as %s, and neither is more specific", name)
}
