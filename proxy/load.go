package proxy

import (
	"errors"
	"fmt"
	"net/http"
	"net/textproto"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/net/http/httpguts"
	"gopkg.in/yaml.v3"

	"sidestream/adapters"
	"sidestream/proxy/eventstream"
	"sidestream/proxy/mapping"
	"sidestream/proxy/strictyaml"
)

type (
	rest  = map[string]*yaml.Node
	nodes = []yaml.Node
)

// Parse reads a routing table: decodes it strictly, compiles its expressions,
// configures each route's adapter, and checks that every route can be served.
// The error is a [strictyaml.Errors] that lists all that is wrong.
func Parse(name string, data []byte, known *adapters.Registry, refs strictyaml.References) (*Config, error) {
	doc, err := strictyaml.Parse(name, data, refs)
	if err != nil {
		return nil, err
	}
	l := &loader{doc: doc, known: known}
	f := newFile()
	doc.Decode(doc.Root, "", &f)
	cfg := &Config{Listen: l.bindings(f.Listen, f.Admin), Admin: f.Admin, Limits: f.Limits, Drain: f.Drain}
	var reachable bool
	cfg.Upstream, reachable = l.upstream(doc.Root, "upstream", f.Upstream)
	l.trust(f.TrustedProxies)
	cfg.trusted = f.TrustedProxies
	l.limits(f.Limits)
	l.defaults(f.Defaults)
	l.history(f.History)
	for i := range f.Routes {
		if r := l.route(i, &f.Routes[i], cfg.Upstream, reachable); r != nil {
			l.conflicts(i, &f.Routes[i], r, cfg)
			cfg.Routes = append(cfg.Routes, r)
		}
	}
	if len(f.Routes) == 0 && cfg.Upstream == nil {
		doc.Errorf(doc.Root, "", `nothing to serve: give "routes", or an "upstream" to pass requests on to`)
	}
	if err := doc.Err(); err != nil {
		return nil, err
	}
	cfg.referenced = doc.Referenced()
	return cfg, nil
}

// minHeartbeat is the shortest time between heartbeats: many of a short one
// are a load and serve nobody.
const minHeartbeat = 50 * time.Millisecond

// loader makes routes of nodes.
type loader struct {
	doc   *strictyaml.Document
	known *adapters.Registry

	options  Options               // what a route's options are when it sets none
	fallback *yaml.Node            // where they were set
	adapters map[string]*yaml.Node // defaults of each adapter's options

	store adapters.Store // of durable histories; nil if it can't be had
	kept  *yaml.Node     // where it was configured; nil if nowhere
}

func (l *loader) limits(limits Limits) {
	for _, f := range []struct {
		name  string
		value int64
	}{
		{"connections", int64(limits.Connections)},
		{"clients", int64(limits.Clients)},
		{"streams", int64(limits.Streams)},
		{"catchups", int64(limits.Catchups)},
		{"ingest", int64(limits.Ingest)},
		{"passthrough", int64(limits.Passthrough)},
		{"ingest_timeout", int64(limits.IngestTimeout)},
		{"header_bytes", int64(limits.HeaderBytes)},
		{"header_timeout", int64(limits.HeaderTimeout)},
		{"idle_timeout", int64(limits.IdleTimeout)},
		{"stall_timeout", int64(limits.StallTimeout)},
		{"retry", int64(limits.Retry)},
	} {
		if f.value <= 0 {
			path := "limits." + f.name
			l.doc.Errorf(strictyaml.Find(l.doc.Root, path), path, "must be more than 0")
		}
	}
	complain := l.complainer(strictyaml.Find(l.doc.Root, "limits"), "limits")
	for _, bound := range []struct {
		field string
		value int
	}{{"connections_per_address", limits.ConnectionsPerAddress}, {"clients_per_address", limits.ClientsPerAddress}} {
		if bound.value < 0 {
			complain(bound.field, "must be 0, for no bound, or more")
		}
	}
	if limits.HTTP2Streams < 1 || limits.HTTP2Streams > maxHTTP2Streams {
		complain("http2_streams", "%d is out of bounds; it is from 1 to %d", limits.HTTP2Streams, maxHTTP2Streams)
	}
}

const maxHTTP2Streams = 1_000_000

// defaults keeps the options that every route starts from, and the nodes that
// each adapter's options are decoded from first.
func (l *loader) defaults(d defaults) {
	l.options, l.adapters = d.Options, map[string]*yaml.Node{}
	node := strictyaml.Find(l.doc.Root, "defaults")
	if node == l.doc.Root || node.Kind != yaml.MappingNode {
		return
	}
	for key, n := range d.Rest {
		if a, ok := l.known.Lookup(key); ok {
			l.adapters[key] = n
			l.doc.Decode(n, "defaults."+key, a.Options())
		} else {
			l.doc.UnknownKey(node, "defaults", key, append(strictyaml.Keys(&d), l.known.Names()...))
		}
	}
	l.fallback = &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Line: node.Line, Column: node.Column}
	for i := 0; i+1 < len(node.Content); i += 2 {
		if _, ok := d.Rest[node.Content[i].Value]; !ok {
			l.fallback.Content = append(l.fallback.Content, node.Content[i], node.Content[i+1])
		}
	}
}

// route returns the route that n describes, or nil if too much is wrong with
// it. upstream is the table's, and known is false if that is wrong itself.
func (l *loader) route(i int, n *yaml.Node, upstream *url.URL, known bool) *Route {
	path := fmt.Sprintf("routes[%d]", i)
	c := newRoute(l.options)
	if !l.doc.Decode(n, path, c) {
		return nil
	}
	r := &Route{
		Path: c.Path, Method: c.Method, Host: c.Host, Query: c.Query, Options: c.Options, line: n.Line,
		Key: c.Key, Match: c.Match, Latest: c.Latest, Since: c.Since,
	}
	ok := l.checkPattern(n, path, r)
	ok = l.checkMatch(n, path, r) && ok
	ok = l.checkOptions(n, path, r) && ok
	ok = l.checkCORS(n, path, r) && ok

	r.upstream = upstream
	if c.Upstream != "" {
		r.upstream, known = l.upstream(n, path+".upstream", c.Upstream)
	}
	var options *yaml.Node
	r.Adapter, options = l.pickAdapter(n, path, c)
	if r.Adapter == "" || !ok || !known {
		return nil
	}
	r.cors = r.CORS.policy(r.Method)
	r.fingerprint = l.doc.Fingerprint(l.fallback, l.adapters[r.Adapter], n) + " " + fmt.Sprint(r.upstream)
	r.expressions = l.expressions(n, r)
	if !l.configure(path, r, options) || !l.keep(n, path, r) || !l.checkCapabilities(n, path, r) {
		return nil
	}
	return r
}

func (l *loader) checkPattern(n *yaml.Node, path string, r *Route) bool {
	complain := l.complainer(n, path)
	if r.Path == "" {
		return complain("", `"path" is missing; every route needs one, such as /events/{id}`)
	}
	vars, err := adapters.PathVariables(r.Path)
	if err != nil {
		return complain("path", "%v", err)
	}
	ok := true
	if !isMethod(r.Method) {
		ok = complain("method", "%q is not a method; write GET or POST, say", r.Method)
	}
	r.Host = strings.ToLower(r.Host)
	if strings.ContainsAny(r.Host, "/{}: ") {
		ok = complain("host", "%q is not a host name without a port", r.Host)
	}
	for i, q := range r.Query {
		field := fmt.Sprintf("query[%d]", i)
		switch {
		case !variableName.MatchString(q):
			ok = complain(field, "%q can't be a variable; use letters, digits and _", q)
		case slices.Contains(vars, q):
			ok = complain(field, "%q is a variable already", q)
		case isLastEventIDParam(q):
			ok = complain(field, "%q is how clients send the last event id", q)
		case r.Since && q == sinceParam:
			ok = complain(field, "%q is how clients say from when on they want events (the route's since)", q)
		}
		vars = append(vars, q)
	}
	r.vars = vars
	if !ok {
		return false
	}
	if err := handle(http.NewServeMux(), r.muxPattern(), http.NotFoundHandler()); err != nil {
		return complain("path", "can't be served: %v", err)
	}
	return true
}

// checkMatch divides the route's variables into those that pick a key and
// those that are for the source.
func (l *loader) checkMatch(n *yaml.Node, path string, r *Route) bool {
	if r.Match != "" {
		var err error
		if r.matcher, err = newMatcher(r.Match, r.vars); err != nil {
			return l.complainer(n, path)("match", "%v", err)
		}
	}
	r.sourceVars = slices.DeleteFunc(slices.Clone(r.vars), r.matcher.uses)
	return true
}

func (l *loader) checkOptions(n *yaml.Node, path string, r *Route) bool {
	complain := l.complainer(n, path)
	ok := true
	for _, f := range []struct {
		name  string
		value int64
	}{
		{"history.events", int64(r.History.Events)},
		{"history.bytes", int64(r.History.Bytes)},
		{"history.keys", int64(r.History.Keys)},
		{"history.key_bytes", int64(r.History.KeyBytes)},
		{"history.cache.events", int64(r.History.Cache.Events)},
		{"history.cache.bytes", int64(r.History.Cache.Bytes)},
		{"history.idle.events", int64(r.History.Idle.Events)},
		{"history.idle.bytes", int64(r.History.Idle.Bytes)},
		{"max_event_size", int64(r.MaxEventSize)},
		{"write_timeout", int64(r.WriteTimeout)},
		{"max_clients", int64(r.MaxClients)},
		{"max_streams", int64(r.MaxStreams)},
		{"max_principals", int64(r.MaxPrincipals)},
		{"backoff.min", int64(r.Backoff.Min)},
		{"event.timeout", int64(r.Event.Timeout)},
		{"event.max_events", int64(r.Event.MaxEvents)},
		{"event.max_output", int64(r.Event.MaxOutput)},
	} {
		if f.value <= 0 {
			ok = complain(f.name, "must be more than 0")
		}
	}
	if every := time.Duration(r.Heartbeat.Every); every > 0 && every < minHeartbeat {
		ok = complain("heartbeat.every", "%v is too short; it is 0, for none, or %v and more", every, minHeartbeat)
	}
	if r.Heartbeat.Event != "" && r.Heartbeat.Every == 0 {
		ok = complain("heartbeat.event", "has no effect, since heartbeat.every is 0; leave one of them out")
	}
	if r.Backoff.Max < r.Backoff.Min {
		ok = complain("backoff.max", "%v is less than backoff.min, %v", r.Backoff.Max, r.Backoff.Min)
	}
	for name, value := range r.Headers {
		switch {
		case !httpguts.ValidHeaderFieldName(name) || !httpguts.ValidHeaderFieldValue(value):
			ok = complain("headers."+name, "not a header that can be sent")
		case slices.Contains(fixedHeaders(), textproto.CanonicalMIMEHeaderKey(name)):
			ok = complain("headers."+name, "is set by every stream and can't be changed")
		}
	}
	if r.End.ID != "" && !eventstream.ValidID(r.End.ID) {
		ok = complain("end.id", "%q must be printable ASCII without spaces, %d characters at most", r.End.ID, eventstream.MaxID)
	}
	if r.End.ID == "" {
		ok = complain("end.id", "must not be empty: it is how a client that comes back is known")
	}
	for _, f := range []struct{ name, value string }{{"end.event", r.End.Event}, {"heartbeat.event", r.Heartbeat.Event}} {
		if !eventstream.ValidType(f.value) {
			ok = complain(f.name, "%q can't be an event type: it must be one line of text", f.value)
		}
	}
	if !utf8.ValidString(r.End.Data) {
		ok = complain("end.data", "is not UTF-8")
	}
	if !utf8.ValidString(r.Empty) {
		ok = complain("empty", "is not UTF-8")
	}
	var err error
	if r.mapping, err = mapping.Compile(r.Event, r.Key); err != nil {
		for _, err := range unjoin(err) {
			var s *mapping.SpecError
			if errors.As(err, &s) {
				complain(s.Field, "%v", s.Err)
			}
		}
		ok = false
	}
	return ok
}

// pickAdapter finds the one key of the route that names an adapter.
func (l *loader) pickAdapter(n *yaml.Node, path string, c *route) (name string, options *yaml.Node) {
	var found []string
	unknown := false
	for _, key := range sortedKeys(c.Rest) {
		if _, ok := l.known.Lookup(key); ok {
			found = append(found, key)
			continue
		}
		l.doc.UnknownKey(n, path, key, append(strictyaml.Keys(c), l.known.Names()...))
		unknown = true
	}
	switch {
	case len(found) == 1 && !unknown:
		return found[0], c.Rest[found[0]]
	case len(found) > 1:
		l.doc.Errorf(n, path, "names %d sources (%s); a route has exactly one", len(found), strings.Join(found, ", "))
	case !unknown:
		l.doc.Errorf(n, path, "names no source; add one of %s", strings.Join(l.known.Names(), ", "))
	}
	return "", nil
}

func (l *loader) configure(path string, r *Route, options *yaml.Node) bool {
	a, _ := l.known.Lookup(r.Adapter)
	path += "." + r.Adapter
	decoded := true
	about := adapters.Route{Path: r.Path, Vars: r.sourceVars, Upstream: r.upstream, Latest: r.Latest}
	for _, name := range r.Query {
		if slices.Contains(r.sourceVars, name) {
			about.Query = append(about.Query, name)
		}
	}
	factory, err := a.Configure(about, func(into any) error {
		if base := l.adapters[r.Adapter]; base != nil {
			decoded = l.doc.Decode(base, "defaults."+r.Adapter, into)
		}
		if decoded = l.doc.Decode(options, path, into) && decoded; !decoded {
			return errNotDecoded
		}
		return nil
	})
	if errors.Is(err, errNotDecoded) {
		return false
	}
	for _, err := range unjoin(err) {
		var o *adapters.OptionError
		if errors.As(err, &o) {
			l.doc.Errorf(strictyaml.Find(options, o.Path), path+"."+o.Path, "%v%s", o.Err, r.taken(o.Err))
		} else {
			l.doc.Errorf(options, path, "%v", err)
		}
	}
	r.factory, r.bare = factory, factory
	return err == nil
}

// taken says which variables that err names are not for the source, since the
// route's match reads them.
func (r *Route) taken(err error) string {
	for _, name := range r.vars {
		if r.matcher.uses(name) && strings.Contains(err.Error(), "{"+name+"}") {
			return fmt.Sprintf("; {%s} is a variable of match, and those are not for the source", name)
		}
	}
	return ""
}

var errNotDecoded = errors.New("options not decoded")

// upstream returns the URL raw, nil if there is none, and whether it is right.
func (l *loader) upstream(n *yaml.Node, path, raw string) (*url.URL, bool) {
	if raw == "" {
		return nil, true
	}
	u, err := url.Parse(raw)
	socket, isSocket := socketPath(raw)
	switch {
	case isSocket:
		if err = checkSocketPath(socket); err == nil {
			return socketURL(socket), true
		}
	case err != nil:
		err = errors.New("not a URL; write one such as http://127.0.0.1:3000, or a socket, unix:/run/app.sock")
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		err = errors.New("must be a URL with http:// or https:// and a host, such as http://127.0.0.1:3000, or a socket, such as unix:/run/app.sock")
	case u.User != nil:
		err = errors.New("must not hold a user name or password")
	case u.RawQuery != "" || u.Fragment != "":
		err = errors.New("must not have a query or fragment")
	default:
		return u, true
	}
	field := path[strings.LastIndexByte(path, '.')+1:]
	l.doc.Errorf(strictyaml.Find(n, field), path, "%v", err)
	return nil, false
}

// complainer returns a function that adds a complaint about a field of n and
// returns false.
func (l *loader) complainer(n *yaml.Node, path string) func(field, format string, args ...any) bool {
	return func(field, format string, args ...any) bool {
		at, full := strictyaml.Find(n, field), path
		if field != "" {
			full += "." + field
		}
		l.doc.Errorf(at, full, format, args...)
		return false
	}
}

// unjoin returns the errors that err was joined of, or err alone.
func unjoin(err error) []error {
	if err == nil {
		return nil
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var list []error
	for _, e := range joined.Unwrap() {
		list = append(list, unjoin(e)...)
	}
	return list
}

func sortedKeys(m rest) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
