package proxy

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"time"

	"sidestream/adapters"
)

// ingest says where requests come in that bring events to r; ok is false if
// none do.
func (r *Route) ingest() (in adapters.Ingest, ok bool) {
	if ingester, is := r.factory.(adapters.Ingester); is && r.factory.Capabilities().Ingest {
		return ingester.Ingest(), true
	}
	return in, false
}

// serveIngest answers a request that brings events: the adapter does, unless
// there is no room for another. A load balancer that is slow to notice sends
// such requests until the listeners close. Where events outlast this process
// they are taken until then; elsewhere they are refused from the moment when
// clients are told to leave, since who sends them is told to try again, and
// may then reach those clients where they are.
func (p *endpoint) serveIngest(w http.ResponseWriter, r *http.Request) {
	out := &statusWriter{ResponseWriter: w}
	defer func() { p.metrics.ingested(out.status) }()
	if isOver(r) || p.server.isDraining() && !p.keepsEvents() || !p.beginIngest() {
		p.refuseIngest(out)
		return
	}
	defer p.endIngest()
	if bad := p.admitIngest(r); bad != nil {
		http.Error(out, bad.msg, bad.status)
		return
	}
	limit := p.server.ingestTimeout()
	ctx, cancel := context.WithTimeout(r.Context(), limit)
	defer cancel()
	// A body that doesn't come keeps its place for no longer, either. net/http
	// takes the deadline back before the connection's next request.
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(limit))
	defer p.rescue(out)
	p.factory.(adapters.Ingester).ServeIngest(out, r.WithContext(p.sampled.WithContext(ctx)), p.receive)
}

// keepsEvents reports whether what is received outlives this process, for
// another one to deliver: a source that receives, and can deliver again what it
// has delivered, is one of a durable history.
func (p *endpoint) keepsEvents() bool { return p.can.Replayable }

// admitIngest says why no source can have the variables of a request that
// brings events, or returns nil.
func (r *Route) admitIngest(req *http.Request) *badRequest {
	for _, name := range r.sourceVars {
		if _, err := (adapters.Vars{name: req.PathValue(name)}).Query(name); err != nil { // the least strict rule; the adapter has its own
			return &badRequest{http.StatusNotFound, "404 page not found", err}
		}
	}
	return nil
}

// beginIngest counts a request in that brings events, if there is room.
func (p *endpoint) beginIngest() bool {
	if !p.server.ingests.take() {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed { // between the request's routing and here
		p.server.ingests.give()
		return false
	}
	p.ingesting++
	return true
}

func (p *endpoint) endIngest() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ingesting--
	p.closeFactory()
	p.server.ingests.give()
}

// refuseIngest answers a request that can't be taken now, and of which nothing
// is known but where it came in.
func (p *endpoint) refuseIngest(w http.ResponseWriter) {
	p.server.retryAfter(w.Header())
	http.Error(w, "no more events can be taken now", http.StatusServiceUnavailable)
}

// rescue answers a request whose handler has panicked.
func (p *endpoint) rescue(w *statusWriter) {
	cause := recover()
	if cause == nil {
		return
	}
	if cause == http.ErrAbortHandler { //nolint:errorlint // as net/http compares it
		panic(cause)
	}
	p.sampled.Error().Err(panicked(cause)).Msg("request that brings events")
	if w.status != 0 {
		panic(http.ErrAbortHandler) // so that nobody takes it for a whole answer
	}
	http.Error(w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
}

func panicked(cause any) error { return fmt.Errorf("panic: %v\n%s", cause, debug.Stack()) }

// receive hands the events of one request to the source for vars. It is what
// [adapters.Ingester.ServeIngest] is given.
func (p *endpoint) receive(ctx context.Context, vars adapters.Vars, events []adapters.Event) error {
	own := p.forSource(vars)
	for name := range own {
		if _, err := own.Query(name); err != nil {
			return err
		}
	}
	if p.Event.Data == "" && p.Event.Each == "" { // or expressions may make it smaller
		for i := range events {
			if n := len(events[i].Data); int64(n) > int64(p.MaxEventSize) {
				return fmt.Errorf("%w: %d bytes, and the route's max_event_size is %v", adapters.ErrTooLarge, n, p.MaxEventSize)
			}
		}
	}
	s, err := p.hold(own) //nolint:contextcheck // a stream outlives the request that opens it
	switch {
	case errors.Is(err, errNoRoom):
		return adapters.ErrBusy
	case errors.Is(err, adapters.ErrBadVariable):
		p.log.Debug().Err(err).Msg("variable refused")
		return err
	case err != nil:
		p.sampled.Error().Err(err).Msg("source can't be opened")
		return err
	}
	defer p.letGo(s)
	switch err = s.receive(ctx, events); {
	case err == nil:
		p.metrics.received.Add(float64(len(events)))
	case !errors.Is(err, adapters.ErrBusy) && ctx.Err() == nil:
		p.sampled.Warn().Err(err).Msg("events not received")
	}
	return err
}

// hold returns the stream for vars, which it opens if need be, and keeps it
// open. It fails as acquire does.
func (p *endpoint) hold(vars adapters.Vars) (*stream, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s, _, err := p.reach(vars, nil)
	if err != nil {
		return nil, err
	}
	s.receiving++
	return s, nil
}

// letGo undoes hold. The stream then lingers as after a client.
func (p *endpoint) letGo(s *stream) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s.receiving--
	p.left(s)
}

var errOver = errors.New("the source has ended or failed for good")

// receive is the Receive of the stream's source. It waits for nobody once the
// source is no longer run: the next stream may have one that is.
func (s *stream) receive(ctx context.Context, events []adapters.Event) (err error) {
	receiver, ok := s.source.(adapters.Receiver)
	if !ok {
		return errors.New("the source receives nothing; that is a mistake of the adapter's")
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.over, cancel)() //nolint:contextcheck // it ends when either does
	if s.can.Replayable {                     // or whoever is connected already would begin behind them
		select {
		case <-s.heard:
		case <-ctx.Done():
		}
	}
	defer func() {
		if cause := recover(); cause != nil {
			err = panicked(cause)
		}
		if err != nil && s.over.Err() != nil {
			err = errOver
		}
	}()
	return receiver.Receive(ctx, events)
}

// statusWriter remembers the status of an answer; 0 is none yet.
type statusWriter struct {
	http.ResponseWriter
	status int
}

// WriteHeader implements [http.ResponseWriter].
func (w *statusWriter) WriteHeader(status int) {
	if w.status == 0 && status >= http.StatusOK {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write implements [http.ResponseWriter].
func (w *statusWriter) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(p)
}

// Unwrap is for [http.ResponseController].
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
