package proxy

import (
	"errors"
	"slices"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"sidestream/adapters"
	"sidestream/proxy/strictyaml"
)

// history makes the store of durable histories: the one that the table names, or
// else the first kind that is known.
func (l *loader) history(s stores) {
	kinds := l.known.Stores()
	names := make([]string, len(kinds))
	for i, k := range kinds {
		names[i] = k.Name
	}
	at := strictyaml.Find(l.doc.Root, "history")
	var chosen *adapters.StoreKind
	for i, k := range kinds {
		if n, ok := s.Rest[k.Name]; ok {
			if chosen != nil {
				l.doc.Errorf(at, "history", "names several stores; histories are kept in one")
				return
			}
			chosen, l.kept = &kinds[i], n
		}
	}
	for _, key := range sortedKeys(s.Rest) {
		if !slices.Contains(names, key) {
			l.doc.UnknownKey(at, "history", key, names)
			return
		}
	}
	if chosen == nil {
		if len(kinds) == 0 {
			return
		}
		chosen = &kinds[0]
	}
	path := "history." + chosen.Name
	store, err := chosen.Configure(func(into any) error {
		if l.kept != nil && !l.doc.Decode(l.kept, path, into) {
			return errNotDecoded
		}
		return nil
	})
	if errors.Is(err, errNotDecoded) {
		return
	}
	l.complain(l.kept, path, err)
	if err == nil {
		l.store = store
	}
}

// complain adds the complaints that err was joined of, about the options that
// stand at n, under path.
func (l *loader) complain(n *yaml.Node, path string, err error) {
	if n == nil {
		n = l.doc.Root
	}
	for _, err := range unjoin(err) {
		var o *adapters.OptionError
		if errors.As(err, &o) {
			l.doc.Errorf(strictyaml.Find(n, o.Path), path+"."+o.Path, "%v", o.Err)
		} else {
			l.doc.Errorf(n, path, "%v", err)
		}
	}
}

// keep makes the route's history durable, if it is to be.
func (l *loader) keep(n *yaml.Node, path string, r *Route) bool {
	complain := l.complainer(n, path)
	h := &r.History
	if !h.Durable {
		ok := true
		if h.Replicas != 0 {
			ok = complain("history.replicas", "has an effect on a durable history only; add durable: true, or leave this out")
		}
		if h.Cache != defaultOptions().History.Cache && h.Cache != l.options.History.Cache {
			ok = complain("history.cache", "is for what is in memory of a durable history; add durable: true, or leave this out")
		}
		return ok
	}
	if h.Replicas < 0 {
		return complain("history.replicas", "%d is no number of servers", h.Replicas)
	}
	if l.store == nil {
		if len(l.known.Stores()) == 0 {
			return complain("history.durable", "this program knows no store to keep it in")
		}
		return false // which was complained of
	}
	factory, err := l.store.Keep(r.factory, adapters.Keep{
		Route:      r.String(),
		Vars:       r.sourceVars,
		Events:     int64(h.Events),
		Bytes:      int64(h.Bytes),
		Age:        time.Duration(h.Age),
		Begin:      r.beginning(),
		Replicas:   h.Replicas,
		MinBackoff: time.Duration(r.Backoff.Min),
		MaxBackoff: time.Duration(r.Backoff.Max),
	})
	if err != nil {
		l.complain(strictyaml.Find(n, "history"), path+".history", err)
		return false
	}
	r.factory = factory
	r.fingerprint += " " + strings.TrimSpace(l.doc.Fingerprint(l.kept))
	return true
}

// beginning returns with how many of the newest events that are kept a stream
// begins: with those that new clients may get.
func (r *Route) beginning() int64 {
	if r.Latest {
		return -1 // of any key
	}
	return int64(r.History.Replay)
}
