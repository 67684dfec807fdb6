package proxy

import (
	"strings"

	"gopkg.in/yaml.v3"
)

// checkCapabilities complains of what the route asks and the adapter can't
// do.
func (l *loader) checkCapabilities(n *yaml.Node, path string, r *Route) bool {
	complain := l.complainer(n, path)
	can := r.factory.Capabilities()
	ok := true
	switch {
	case can.Changes:
		for _, f := range []struct{ name, expression string }{
			{"each", r.Event.Each}, {"where", r.Event.Where}, {"data", r.Event.Data}, {"key", r.Event.Key}, {"id", r.Event.ID},
		} {
			if f.expression != "" {
				ok = complain("event."+f.name, "%[1]s delivers changes to a document, which an expression can't rewrite; %[1]s.select shapes the document instead", r.Adapter)
			}
		}
	case can.Stateful && r.mapping.Splits():
		ok = complain("event.each", "%s delivers states, each of which replaces the one before, so one can't be split into several events", r.Adapter)
	}
	if can.Always {
		const always = `"always" needs a route with just one stream, `
		if len(r.vars) > 0 {
			ok = complain(r.Adapter+".always", always+"but each set of variables (%s) has its own; leave them out, or this", strings.Join(r.vars, ", "))
		}
		if len(can.Forward) > 0 {
			ok = complain(r.Adapter+".always", always+"but clients with other credentials (%s) have others; leave out one of the two", strings.Join(can.Forward, ", "))
		}
	}
	if can.Positions && !can.Changes && r.mapping.SetsID() {
		ok = complain("event.id", "%s has positions of its own, by which clients resume; another id would lose them", r.Adapter)
	}
	if r.Slow == SlowLatest && !can.Stateful && !can.Keyed && !r.mapping.SetsKey() {
		ok = complain("slow", `"latest" keeps the newest event of each key, but %s has no keys; add event.key`, r.Adapter)
	}
	if can.Stateful && !can.Keyed && !can.Changes && r.mapping.SetsKey() {
		ok = complain("event.key", "%s delivers the one state of a document; with keys, earlier states would stand beside it", r.Adapter)
	}
	if can.Stateful && r.History.Replay != 0 {
		ok = complain("history.replay", "%s delivers states, and a new client always gets the current one; leave this out", r.Adapter)
	}
	return ok
}
