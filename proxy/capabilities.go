package proxy

import (
	"net/http"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"sidestream/adapters"
)

// checkCapabilities complains of what the route asks and the adapter can't
// do.
func (l *loader) checkCapabilities(n *yaml.Node, path string, r *Route) bool {
	complain := l.complainer(n, path)
	can := r.factory.Capabilities()
	ok := true
	if can.Partitioned && (can.Compare == nil || can.Before == nil) {
		ok = complain(r.Adapter, "%s says that its sources are partitioned, but not which positions are before others; that is a mistake of the adapter's", r.Adapter)
	}
	switch {
	case can.Changes:
		for _, f := range []struct{ name, expression string }{
			{"event.each", r.Event.Each}, {"event.where", r.Event.Where}, {"event.data", r.Event.Data},
			{"event.key", r.Event.Key}, {"event.id", r.Event.ID}, {"key", r.Key},
		} {
			if f.expression != "" {
				ok = complain(f.name, "%[1]s delivers changes to a document, which an expression can't rewrite; %[1]s.select shapes the document instead", r.Adapter)
			}
		}
	case can.Stateful && r.mapping.Splits():
		ok = complain("event.each", "%s delivers states, each of which replaces the one before, so one can't be split into several events", r.Adapter)
	}
	if can.Always {
		const always = `"always" needs a route with just one stream, `
		if len(r.sourceVars) > 0 {
			ok = complain(r.Adapter+".always", always+"but each set of variables (%s) has its own; leave them out, or this", strings.Join(r.sourceVars, ", "))
		}
		if len(can.Forward) > 0 {
			ok = complain(r.Adapter+".always", always+"but clients with other credentials (%s) have others; leave out one of the two", strings.Join(can.Forward, ", "))
		}
	}
	if can.Positions && !can.Changes && r.mapping.SetsID() {
		owner := r.Adapter
		if r.History.Durable {
			owner = "the durable history"
		}
		ok = complain("event.id", "%s has positions of its own, by which clients resume; another id would lose them", owner)
	}
	if r.Slow == SlowLatest && !can.Stateful && !can.Keyed && !r.mapping.SetsKey() {
		ok = complain("slow", `"latest" keeps the newest event of each key, but %s has no keys; add "key"`, r.Adapter)
	}
	if can.Stateful && !can.Keyed && !can.Changes && r.mapping.SetsKey() {
		option := "event.key"
		if r.Event.Key == "" {
			option = "key"
		}
		ok = complain(option, "%s delivers the one state of a document; with keys, earlier states would stand beside it", r.Adapter)
	}
	ok = l.checkIngest(n, path, r) && ok
	return l.checkKeys(n, path, r) && ok
}

// checkIngest complains of requests that bring events but can't be served.
func (l *loader) checkIngest(n *yaml.Node, path string, r *Route) bool {
	can := r.factory.Capabilities()
	if !can.Ingest {
		return true
	}
	complain := l.complainer(n, path)
	in, ok := r.ingest()
	if !ok || len(in.Methods) == 0 || in.Address == "" && in.TLS != nil {
		return complain(r.Adapter, "%s says that requests bring it events, but not which, or that they come by TLS, but not where; that is a mistake of the adapter's", r.Adapter)
	}
	if len(can.Forward) > 0 {
		ok = complain(r.Adapter, "requests bring events for all clients, but clients with other credentials (%s) have streams of their own; leave out one of the two", strings.Join(can.Forward, ", "))
	}
	vars, err := adapters.PathVariables(in.Path)
	bad := slices.IndexFunc(in.Methods, func(m string) bool { return !isMethod(m) })
	switch {
	case bad >= 0:
		return complain(r.Adapter, "%q is not a method of requests that bring events; write POST, say", in.Methods[bad])
	case err != nil:
		return complain(r.Adapter, "the path of requests that bring events: %v", err)
	case !sameNames(vars, r.sourceVars):
		return complain(r.Adapter, "the path of requests that bring events, %s, has the variables %s, but the route's sources have %s; they must be the same", in.Path, namesOr(vars, "none"), namesOr(r.sourceVars, "none"))
	}
	for _, c := range r.claims()[1:] {
		if err := handle(http.NewServeMux(), c.pattern, http.NotFoundHandler()); err != nil {
			return complain(r.Adapter, "the path of requests that bring events can't be served: %v", err)
		}
	}
	return ok
}

// sameNames reports whether a and b hold the same names, each once, in any
// order.
func sameNames(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

// checkKeys complains of options about keys, and how clients begin, that have
// nothing to work on.
func (l *loader) checkKeys(n *yaml.Node, path string, r *Route) bool {
	complain := l.complainer(n, path)
	can := r.factory.Capabilities()
	keyed := can.Keyed || r.mapping.SetsKey()
	ok := true
	switch {
	case r.matcher == nil:
	case can.Stateful && !can.Keyed:
		ok = complain("match", "%s delivers the one state of a document, which has no key to match", r.Adapter)
	case !keyed:
		ok = complain("match", `%s has no keys; add "key", an expression such as .user`, r.Adapter)
	}
	if can.Stateful && can.Keyed {
		if r.Event.Key != "" {
			ok = complain("event.key", "the states of %s have keys of their own; with others, one that is deleted would stay", r.Adapter)
		}
		const stay = "an entry that is changed would stay with those who have it; use $key or $subject"
		if r.mapping.ReadsPayload("key") {
			ok = complain("key", "it reads the payload, by which "+stay)
		}
		if r.mapping.ReadsPayload("event.where") {
			ok = complain("event.where", "it reads the payload, by which "+stay)
		}
	}
	if r.Key != "" && r.matcher == nil && !r.Latest && r.Slow != SlowLatest {
		ok = complain("key", `has no effect without "match", "latest" or "slow: latest"`)
	}
	if r.Latest {
		switch {
		case can.Stateful:
			ok = complain("latest", "%s delivers states, and a new client always gets the current ones; leave this out", r.Adapter)
		case !keyed:
			ok = complain("latest", `%s has no keys; add "key", an expression such as .id`, r.Adapter)
		case r.History.Replay != 0:
			ok = complain("history.replay", `a new client begins with the newest event of each key ("latest"); leave out one of the two`)
		}
	}
	if r.Since && !can.Seekable {
		instead := ""
		if len(l.known.Stores()) > 0 && mayBeKept(can) {
			instead = "; a durable history can (history: {durable: true})"
		}
		ok = complain("since", "%s can't tell where a time is%s", r.Adapter, instead)
	}
	if can.Stateful && r.History.Replay != 0 {
		ok = complain("history.replay", "%s delivers states, and a new client always gets the current one; leave this out", r.Adapter)
	}
	return ok
}

// mayBeKept reports whether a durable history is for sources that can do this,
// as far as that can be told without its store.
func mayBeKept(can adapters.Capabilities) bool {
	return !can.Replayable && len(can.Forward) == 0 && !can.Stateful
}
