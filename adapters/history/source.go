package history

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/rs/zerolog"

	"sidestream/adapters"
	"sidestream/adapters/nats"
)

// A source delivers what another one does, from the log. While it is run, it
// takes part in running the other one, which one replica does at a time, unless
// that is one that events are pushed into.
type source struct {
	factory *factory
	inner   adapters.Source
	env     adapters.Env
	log     zerolog.Logger // for what there may be much of
	form    form
	subject string

	leads atomic.Bool // this replica runs the inner source
}

// Run implements [adapters.Source]. It takes part in running the inner source,
// and goes on by itself when the log can't be read.
func (s *source) Run(ctx context.Context, after adapters.Position, emit func(adapters.Event) error) error {
	ctx, r, err := s.newRun(ctx, after, emit, false)
	if err != nil {
		return err
	}
	var beside sync.WaitGroup
	beside.Go(func() {
		if s.factory.can.Ingest {
			s.factory.health.watch(ctx, r)
		} else {
			r.takePart(ctx)
		}
	})
	err = r.result(ctx, r.readOn(ctx, after))
	r.gate.fail(nil)
	beside.Wait()
	return err
}

// Reread implements [adapters.Rereader]: it only reads the log.
func (s *source) Reread(ctx context.Context, after adapters.Position, emit func(adapters.Event) error) error {
	ctx, r, err := s.newRun(ctx, after, emit, true)
	if err != nil {
		return err
	}
	defer r.gate.fail(nil)
	return r.result(ctx, r.read(ctx, after))
}

// newRun returns a run that is yet to begin, and its context, which the run's
// gate ends. A private one is not told how the upstream is doing.
func (s *source) newRun(ctx context.Context, after adapters.Position, emit func(adapters.Event) error, private bool) (context.Context, *run, error) {
	h, err := s.factory.home()
	if err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	return ctx, &run{
		source: s, home: h,
		gate:     gate{emit: emit, form: s.form, fail: cancel, private: private},
		complete: after != "" || !s.factory.can.Stateful,
	}, nil
}

// Report implements [adapters.Reporter], for the replica that runs the inner
// source. Others have nothing to report.
func (s *source) Report() adapters.Report {
	if reporter, ok := s.inner.(adapters.Reporter); ok && s.leads.Load() {
		return reporter.Report()
	}
	return adapters.Report{}
}

// A run is one Run of a source.
type run struct {
	*source
	home *home
	gate gate

	// complete says that whoever is delivered to has the state that changes
	// are made to, if there is one.
	complete bool
}

// An ended is the cause of a run's end that is not a failure of the log: an
// error that emit has returned, or a failure of the inner source that won't
// pass.
type ended struct{ error }

func (e ended) Unwrap() error { return e.error }

// result returns what Run is to return if err is what reading has returned.
func (r *run) result(ctx context.Context, err error) error {
	var e ended
	switch {
	case errors.As(context.Cause(ctx), &e):
		return e.error
	case errors.As(err, &e):
		return e.error
	case errors.Is(err, errOver):
		return nil
	}
	return err
}

// errOver is how reading ends if the source has ended for good.
var errOver = errors.New("the source has ended")

// readOn reads the log, again after each failure, from where it was.
func (r *run) readOn(ctx context.Context, after adapters.Position) error {
	pauses := r.pauses()
	for {
		began := time.Now()
		err := r.read(ctx, after)
		var e ended
		var lost *adapters.PositionLostError
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, errOver), errors.As(err, &e), adapters.IsPermanent(err):
			return err
		case errors.As(err, &lost):
			// A state has to be begun anew. Otherwise the inner source need not
			// suffer for how slow this reader is.
			if r.factory.can.Stateful || r.gate.reached() == "" || lost.Resume == "" {
				return err
			}
			r.log.Warn().Err(err).Msg("the history was dropped before it was read")
			if err := r.gate.event(adapters.Event{Gap: &adapters.Gap{Reason: lost.Reason, Lost: lost.Lost}}, lost.Resume, false); err != nil {
				return ended{err}
			}
			after = r.gate.reached()
			continue
		}
		pauses.Well(time.Since(began))
		r.log.Warn().Err(err).Msg("the history can't be read; it will be tried again")
		if err := r.gate.unread(adapters.Reason(err)); err != nil {
			return ended{err}
		}
		if at := r.gate.reached(); at != "" {
			after = at
		}
		if !pauses.Wait(ctx) {
			return ctx.Err()
		}
	}
}

// maxPause is the longest pause before the store is tried once more. Clients
// wait for it, and an attempt costs it little.
const maxPause = 2 * time.Second

// pauses are those before the store is tried once more.
func (r *run) pauses() adapters.Backoff {
	k := &r.factory.keep
	return adapters.Backoff{Min: min(k.MinBackoff, maxPause), Max: min(k.MaxBackoff, maxPause)}
}

// read delivers what the log has after a position, until ctx is done or
// something is wrong.
func (r *run) read(ctx context.Context, after adapters.Position) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	from, ok := r.form.without(after)
	if !ok {
		return r.unknown(ctx)
	}
	session, err := r.home.session(ctx)
	if err != nil {
		return err
	}
	stream, err := r.home.ensure(ctx, session, r.factory, r.factory.can.Ingest && !r.gate.private)
	if err != nil {
		return err
	}
	p := &pass{run: r}
	if from == "" {
		if from, err = p.start(ctx, stream); err != nil {
			return err
		}
		r.gate.begin(from)
	}
	p.seq, _ = nats.SequenceOf(from)
	err = r.home.client.Reader(r.factory.stream, []string{r.subject}, r.env).Run(ctx, from, p.take)
	var lost *adapters.PositionLostError
	if errors.As(err, &lost) {
		// Its count is of marks too.
		return &adapters.PositionLostError{Reason: lost.Reason, Resume: r.form.with(lost.Resume), Lost: -1}
	}
	return passing(err)
}

// unknown returns the error of a position that says nothing to the source.
func (r *run) unknown(ctx context.Context) error {
	session, err := r.home.session(ctx)
	if err != nil {
		return err
	}
	stream, err := r.home.ensure(ctx, session, r.factory, false)
	if err != nil {
		return err
	}
	info := stream.CachedInfo()
	oldest := nats.PositionOf(r.factory.stream, info.Created, max(info.State.FirstSeq, 1)-1)
	return &adapters.PositionLostError{Reason: adapters.LostUnknown, Resume: r.form.with(oldest), Lost: -1}
}

// A pass is one attempt to read the log.
type pass struct {
	*run
	seq uint64 // of the stream; up to there all was read
}

// start returns where to begin without a position: at the newest state, so that
// it comes first, or else behind the newest entry.
func (p *pass) start(ctx context.Context, stream jetstream.Stream) (adapters.Position, error) {
	info := stream.CachedInfo()
	place := func(seq uint64) adapters.Position { return nats.PositionOf(p.factory.stream, info.Created, seq) }
	if !p.factory.can.Stateful {
		oldest, newest := max(info.State.FirstSeq, 1)-1, info.State.LastSeq
		if n := p.factory.keep.Begin; n >= 0 {
			oldest = max(oldest, newest-min(uint64(n), newest))
		}
		return place(oldest), nil
	}
	newest, err := last(ctx, stream, p.subject, time.Duration(p.home.options.Timeout))
	switch {
	case err != nil:
		return "", err
	case newest.stateAt() > 0 && newest.stateAt() >= info.State.FirstSeq:
		return place(newest.stateAt() - 1), nil
	default:
		return place(max(newest.seq, info.State.FirstSeq, 1) - 1), nil // the first state is yet to come
	}
}

// take delivers what the reader has of the log.
func (p *pass) take(e adapters.Event) error {
	switch {
	case e.Live:
		p.seq, _ = nats.SequenceOf(e.Position)
		return wrap(p.gate.live(e.Position))
	case e.Gap != nil:
		return wrap(p.gate.event(adapters.Event{Gap: e.Gap}, e.Position, false))
	}
	if err := p.follow(&e); err != nil {
		return err
	}
	pending, _ := e.Meta["pending"].(uint64)
	last := pending == 0
	x, out, err := asEvent(&e)
	switch {
	case err != nil:
		p.log.Warn().Err(err).Str("position", string(e.Position)).Msg("an entry of the history can't be read")
		out = adapters.Event{Gap: &adapters.Gap{Reason: adapters.LostInvalid, Lost: 1}}
		p.complete = !p.factory.can.Stateful
	case x.Mark == markGap:
		out = adapters.Event{Gap: &adapters.Gap{Reason: x.Reason, Lost: x.Lost}}
	case x.Mark == markEnd && last:
		return errOver
	case x.Mark != "" && (x.Mark != markState || p.complete):
		return wrap(p.gate.pass(e.Position, last))
	case p.complete:
	case !x.hasState(), out.State.Gone: // a step to a state, from one that isn't there
		return wrap(p.gate.pass(e.Position, last))
	default:
		out.Type, out.Data = out.State.Type, out.State.Data
		p.complete = true
	}
	return wrap(p.gate.event(out, e.Position, last))
}

// follow finds out whether something is missing before a message: it was removed
// from the midst of the stream by somebody, or by damage to a disk. Each message
// of a stream for one source follows the one before, and each that was written
// under a lease says which one it follows.
func (p *pass) follow(e *adapters.Event) error {
	seq, _ := nats.SequenceOf(e.Position)
	before := seq - 1
	if len(p.factory.keep.Vars) > 0 {
		before = 0
		if said := e.Headers[jetstream.ExpectedLastSubjSeqHeader]; len(said) == 1 {
			before, _ = strconv.ParseUint(said[0], 10, 64)
		}
	}
	missing := before > p.seq
	p.seq = seq
	switch {
	case !missing:
		return nil
	case p.factory.can.Stateful: // which makes up for it
		return ended{&adapters.PositionLostError{Reason: adapters.LostExpired, Lost: -1}}
	}
	return wrap(p.gate.event(adapters.Event{Gap: &adapters.Gap{Reason: adapters.LostExpired, Lost: -1}}, nats.At(e.Position, seq-1), false))
}

// asEvent returns the entry that is in a message of the log, and what it
// stands for.
func asEvent(e *adapters.Event) (x entry, out adapters.Event, err error) {
	x, payload, err := readEntry(e.Headers, e.Data)
	if err == nil {
		out, err = x.event(payload, e.Time)
	}
	return x, out, err
}

// wrap tells an error that emit has returned from others.
func wrap(err error) error {
	if err == nil {
		return nil
	}
	return ended{err}
}

// A record is an entry as it stands in the log.
type record struct {
	entry
	seq     uint64 // 0: there is none
	id      string // see [jetstream.MsgIDHeader]
	payload []byte
}

// stateAt returns the sequence of the newest entry with a state up to this one,
// or 0.
func (r *record) stateAt() uint64 {
	if r.hasState() {
		return r.seq
	}
	return r.StateAt
}

// last returns the newest entry of a subject. Errors are classified.
func last(ctx context.Context, stream jetstream.Stream, subject string, timeout time.Duration) (r record, err error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	m, err := stream.GetLastMsgForSubject(ctx, subject)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return record{}, nil
	}
	return asRecord(m, err)
}

// at returns the entry with a sequence, or none if it is gone.
func at(ctx context.Context, stream jetstream.Stream, seq uint64, timeout time.Duration) (r record, err error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	m, err := stream.GetMsg(ctx, seq)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return record{}, nil
	}
	return asRecord(m, err)
}

func asRecord(m *jetstream.RawStreamMsg, err error) (record, error) {
	if err != nil {
		return record{}, passing(nats.Classify(err))
	}
	r := record{seq: m.Sequence, id: m.Header.Get(jetstream.MsgIDHeader)}
	x, payload, err := readEntry(m.Header, m.Data)
	if err == nil { // of a foreign one only the place counts
		r.entry, r.payload = x, payload
	}
	return r, nil
}
