package proxy

import (
	"context"
	"errors"

	"github.com/rs/zerolog"

	"sidestream/adapters"
	"sidestream/proxy/feed"
	"sidestream/proxy/mapping"
)

// leg is what one private run delivers.
type leg struct {
	after adapters.Position
	until adapters.Position // of a [adapters.Replayer]; empty: it has no end
	skip  int               // parts of the first message that the client has already
}

// catchup is a private run of a replayable source for one client, on its way
// from the client's position to the stream's feed.
type catchup struct {
	items  chan catchupItem
	result chan error // what Run returned; after items is closed
	cancel context.CancelFunc
}

// catchupItem is an event, a gap, or a mere position.
type catchupItem struct {
	entry feed.Entry
	at    string // the place that is reached; empty: that of the entry
	live  bool   // the upstream has no more up to there
}

// isNothing reports whether there was no item.
func (i *catchupItem) isNothing() bool {
	return i.at == "" && i.entry.Block == nil && i.entry.Gap == nil && !i.live
}

// catchupBuffer is how many events a private run may be ahead of its client.
const catchupBuffer = 64

// catchUp starts a private run for the client that sits there. The caller
// drains items until it is closed or calls stop, and in any case calls stop.
func (s *seat) catchUp(ctx context.Context, l leg) *catchup {
	ctx, cancel := context.WithCancel(ctx)
	c := &catchup{
		items:  make(chan catchupItem, catchupBuffer),
		result: make(chan error, 1),
		cancel: cancel,
	}
	p := &privateRun{
		refiner: newRefiner(s.endpoint.Route, s.vars), at: s,
		sampled: s.sampled(), items: c.items, prev: l.after, skip: l.skip,
		joins: func(id string) bool { _, ok := s.feed.After(id); return ok },
	}
	run := s.source.Run
	if again, ok := s.source.(adapters.Rereader); ok {
		run = again.Reread
	}
	if s.can.Partitioned {
		p.joins = func(id string) bool { return l.until == "" && s.covered(adapters.Position(id)) }
	}
	if l.until != "" {
		run = func(ctx context.Context, after adapters.Position, emit func(adapters.Event) error) error {
			return s.source.(adapters.Replayer).Replay(ctx, after, l.until, emit)
		}
	}
	go func() {
		defer close(c.items)
		c.result <- runSource(ctx, run, l.after, func(e adapters.Event) error { return p.emit(ctx, e) })
	}()
	return c
}

// stop ends the run and waits for it.
func (c *catchup) stop() {
	c.cancel()
	for range c.items { // until it is closed
	}
}

// privateRun is the receiving end of a private run.
type privateRun struct {
	*refiner
	at      *seat
	sampled zerolog.Logger
	items   chan<- catchupItem
	joins   func(id string) bool // whether a client that gets there has come to where the feed is
	prev    adapters.Position
	skip    int // parts of the first message that the client has already
}

func (p *privateRun) emit(ctx context.Context, e adapters.Event) error {
	prev := p.prev
	if e.Position != "" {
		p.prev = e.Position
	}
	switch {
	case e.Live:
		return p.send(ctx, catchupItem{at: string(e.Position), live: true})
	case e.Stale != "":
		return nil // the shared run tells clients of it
	case e.Gap != nil:
		return p.gap(ctx, &feed.Gap{Reason: e.Gap.Reason, Requested: string(prev), Resumed: string(e.Position), Lost: p.at.endpoint.share(e.Gap.Lost)})
	}
	events, err := p.refine(ctx, &e, prev)
	skip := p.skip
	p.skip = 0
	sent := false
	for i := 0; err == nil && i < len(events); i++ {
		if part := partOf(&events[i]); part > 0 && part <= skip || !p.isFor(events[i].To) {
			continue
		}
		var block []byte
		if block, err = feed.Encode(&events[i].Event); err == nil {
			sent = true
			if err := p.send(ctx, catchupItem{entry: feed.Entry{ID: string(events[i].Position), Block: block}}); err != nil {
				return err
			}
		}
	}
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		return p.refuse(ctx, &e, prev, err)
	case !sent:
		return p.pass(ctx, string(e.Position))
	default:
		return nil
	}
}

// partOf returns the number of an event among those made of its message, or 0
// if it is the last.
func partOf(e *mapping.Event) int {
	_, part := mapping.Join(string(e.Position))
	return part
}

// isFor reports whether the client gets events of this key.
func (p *privateRun) isFor(key string) bool { return p.route.matcher == nil || key == p.at.to }

// refuse tells the client of an event that can't be delivered, if it may have
// been for it.
func (p *privateRun) refuse(ctx context.Context, e *adapters.Event, prev adapters.Position, err error) error {
	g := p.at.refused(e, prev, err, p.sampled)
	refused, ok := errors.AsType[*refusal](err)
	switch {
	case !ok || !refused.keyed:
		g.Lost = p.at.endpoint.share(g.Lost)
	case refused.to != p.at.to:
		return nil
	}
	return p.gap(ctx, &g)
}

func (p *privateRun) gap(ctx context.Context, g *feed.Gap) error {
	return p.send(ctx, catchupItem{entry: feed.Entry{Gap: g}})
}

// pass lets the client know of a place that it has reached without an event,
// if that brings it into the feed.
func (p *privateRun) pass(ctx context.Context, at string) error {
	if at == "" || !p.joins(at) {
		return nil
	}
	return p.send(ctx, catchupItem{at: at})
}

func (p *privateRun) send(ctx context.Context, i catchupItem) error {
	select {
	case p.items <- i:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
