package proxy

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"sidestream/adapters"
	"sidestream/proxy/eventstream"
)

// fixedHeaders are those of every stream (R1), which routes can't change.
func fixedHeaders() []string {
	return []string{
		"Content-Type", "Cache-Control", "X-Accel-Buffering", "Connection", "Content-Length",
		"Content-Encoding", "Transfer-Encoding", "Trailer", "Upgrade",
	}
}

// ServeHTTP answers a request for the route's stream.
func (p *endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.setHeaders(w, r)
	w.Header().Set("Cache-Control", "no-store") // all but a stream: what one client is told isn't for others
	vars, from, bad := p.admit(r)
	if bad != nil {
		http.Error(w, bad.msg, bad.status)
		return
	}
	if r.ProtoMajor == 1 && r.ContentLength != 0 {
		// net/http would read the body first, for as long as it takes, and
		// again when the handler has returned.
		control := http.NewResponseController(w)
		_ = control.EnableFullDuplex()
		defer func() { _ = control.SetReadDeadline(time.Now()) }()
	}
	if from.id == p.End.ID {
		w.WriteHeader(http.StatusNoContent) // R5, R7: the stream has ended; stay away
		return
	}
	if r.Method == http.MethodHead {
		writeStreamHeader(w, r)
		return
	}
	if p.server.isDraining() {
		p.turnAway(w, r, leftDrain)
		return
	}
	address := addressOf(r.RemoteAddr)
	if isOver(r) || !p.enter(address) {
		p.turnAway(w, r, leftNoRoom)
		return
	}
	defer p.leave(address)

	at, err := p.acquire(vars, credentials(r.Header, p.can.Forward)) //nolint:contextcheck // a stream outlives the request that opens it
	switch {
	case errors.Is(err, errNoRoom):
		p.turnAway(w, r, leftNoRoom)
		return
	case errors.Is(err, adapters.ErrBadVariable):
		p.log.Debug().Err(err).Msg("variable refused")
		http.NotFound(w, r)
		return
	case err != nil:
		p.log.Error().Err(err).Msg("source can't be opened")
		p.turnAway(w, r, leftUnopened)
		return
	}
	defer p.release(at)
	p.serve(w, r, at, from)
}

// enter counts a client in, if there is room.
func (p *endpoint) enter(address netip.Addr) bool {
	if !p.server.clients.take() {
		return false
	}
	if !p.server.perAddr.take(address) {
		p.server.clients.give()
		return false
	}
	if p.clients.Add(1) > int64(p.MaxClients) {
		p.leave(address)
		return false
	}
	return true
}

func (p *endpoint) leave(address netip.Addr) {
	p.clients.Add(-1)
	p.server.perAddr.give(address)
	p.server.clients.give()
}

// serve runs the client on its stream.
func (p *endpoint) serve(w http.ResponseWriter, r *http.Request, at *seat, from origin) {
	p.metrics.clients.Inc()
	defer p.metrics.clients.Dec()
	since := time.Now()
	log := at.log.With().Str("client", r.RemoteAddr).Logger()
	log.Debug().Bool("resumes", from.id != "").Msg("client connected")

	out := newSink(w, r, time.Duration(p.WriteTimeout))
	why := p.stream(w, r, out, at, from)
	p.metrics.departed(why)
	log.Debug().Str("reason", string(why)).Int64("bytes", out.bytes).Dur("age", time.Since(since)).Msg("client left")
}

// stream answers a client with its stream, until it leaves or has to, and
// says why.
func (p *endpoint) stream(w http.ResponseWriter, r *http.Request, out *sink, at *seat, from origin) departure {
	if why := at.verdict(r); why != "" {
		if why == leftDenied {
			p.deny(w, r, at.condition.Load().denied)
		}
		return why
	}
	writeStreamHeader(w, r)
	out.write(eventstream.AppendRetry(nil, time.Duration(p.Retry)))
	if out.flush() != nil { // R2: before the upstream says anything
		return leftGone
	}
	why := newClient(at, out, from).run(r.Context())
	p.farewell(out, why)
	return why
}

// farewell tells a client that has to leave when to come back: not with all
// the others.
func (p *endpoint) farewell(out *sink, why departure) {
	switch why {
	case leftGone, leftWriteTimeout, leftEnded, leftDenied:
		return
	case leftNoRoom, leftUnopened, leftFailed:
		out.write(p.spread(p.server.retry()))
	default:
		out.write(p.spread(time.Duration(p.Retry)))
	}
	_ = out.flush() // it is leaving either way
}

// spread is a retry line with the given time, or up to twice as much.
func (p *endpoint) spread(d time.Duration) []byte {
	return eventstream.AppendRetry(nil, d+rand.N(d+1))
}

// turnAway answers a client that can't be served now. Any status but 200
// would end its EventSource for good (R6).
func (p *endpoint) turnAway(w http.ResponseWriter, r *http.Request, why departure) {
	writeStreamHeader(w, r)
	out := newSink(w, r, time.Duration(p.WriteTimeout))
	p.farewell(out, why)
	p.metrics.departed(why)
}

// setHeaders sets the headers that all of the route's responses have: also
// those that only tell a page why it gets no stream.
func (p *endpoint) setHeaders(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	for name, value := range p.Headers {
		h.Set(name, value)
	}
	h.Add("Vary", strings.Join(append([]string{"Accept"}, p.can.Forward...), ", "))
	p.allowOrigin(w, r)
}

// writeStreamHeader starts a stream's response (R1).
func writeStreamHeader(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Type", eventStreamType)
	h.Set("Cache-Control", "no-cache, no-transform")
	h.Set("X-Accel-Buffering", "no")
	setConnection(h, r)
	w.WriteHeader(http.StatusOK)
}

func setConnection(h http.Header, r *http.Request) {
	switch {
	case h.Get("Connection") == "close": // endingOver has said so
	case r.ProtoMajor == 1 && r.ContentLength != 0:
		// The body is never read, and must not be taken for a request.
		h.Set("Connection", "close")
	case r.ProtoMajor == 1 && r.ProtoMinor == 1:
		h.Set("Connection", "keep-alive")
	}
}

// badRequest is the answer to a request that can't have a stream.
type badRequest struct {
	status int
	msg    string
	cause  error // nil if msg says it
}

// admit reads what a request asks of the route: the values of its variables,
// and where to begin.
func (r *Route) admit(req *http.Request) (vars adapters.Vars, from origin, bad *badRequest) {
	query, err := url.ParseQuery(req.URL.RawQuery)
	if err != nil {
		return nil, from, &badRequest{http.StatusBadRequest, "the query can't be parsed", nil}
	}
	if vars, bad = r.variables(req, query); bad != nil {
		return nil, from, bad
	}
	if r.matcher != nil && r.matcher.key(vars) == "" {
		return nil, from, &badRequest{http.StatusNotFound, "404 page not found", errNoKey}
	}
	from, bad = r.origin(req, query)
	return vars, from, bad
}

var errNoKey = errors.New("its variables make no key of the route's match: one is empty, or has in it the text that follows it there")

// variables takes the route's variables from the request.
func (r *Route) variables(req *http.Request, query url.Values) (adapters.Vars, *badRequest) {
	vars := make(adapters.Vars, len(r.vars))
	for _, name := range r.vars {
		if slices.Contains(r.Query, name) {
			continue
		}
		vars[name] = req.PathValue(name)
		if _, err := vars.Query(name); err != nil { // the least strict rule; the adapter has its own
			return nil, &badRequest{http.StatusNotFound, "404 page not found", err}
		}
	}
	for _, name := range r.Query {
		values := query[name]
		if len(values) == 0 {
			continue
		}
		vars[name] = values[0]
		if _, err := vars.Query(name); err != nil || len(values) > 1 {
			return nil, &badRequest{http.StatusBadRequest, fmt.Sprintf("the query parameter %s can't be used: one value, of text, at most %d bytes", name, adapters.MaxVar), nil}
		}
	}
	if r.factory.Capabilities().WholeURL {
		for name := range query {
			if !slices.Contains(r.Query, name) && !isLastEventIDParam(name) && (!r.Since || name != sinceParam) {
				return nil, &badRequest{http.StatusBadRequest, "a query parameter of this request is not one of the route's (its query: list), and would have no effect on the stream", fmt.Errorf("the query parameter %q is not in its query: list, and would have no effect", clip(name))}
			}
		}
	}
	return vars, nil
}

// varsKey tells sets of a route's variables apart. An absent variable is not
// an empty one.
func varsKey(names []string, vars adapters.Vars) string {
	var b strings.Builder
	for _, name := range names {
		if value, ok := vars[name]; ok {
			b.WriteByte('=')
			b.WriteString(value)
		}
		b.WriteByte(0)
	}
	return b.String()
}

// credentials returns those of the headers in names that h has.
func credentials(h http.Header, names []string) http.Header {
	c := http.Header{}
	for _, name := range names {
		if values := h.Values(name); len(values) > 0 {
			c[name] = values
		}
	}
	return c
}

// pathVars are the variables of the path, to be shown. Query parameters may be
// secrets, and are left out.
func (p *endpoint) pathVars(vars adapters.Vars) map[string]string {
	path := make(map[string]string, len(vars))
	for name, value := range vars {
		if !slices.Contains(p.Query, name) {
			path[name] = value[:min(len(value), 64)]
		}
	}
	return path
}

// logged are variables as fields of a log line.
func logged(vars map[string]string) map[string]any {
	fields := make(map[string]any, len(vars))
	for name, value := range vars {
		fields["var."+name] = value
	}
	return fields
}
