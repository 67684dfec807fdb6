package proxy

import (
	"context"
	"errors"

	"github.com/rs/zerolog"

	"sidestream/adapters"
	"sidestream/proxy/feed"
	"sidestream/proxy/mapping"
)

// catchup is a private run of a replayable source for one client, from the
// client's position until it meets the stream's feed.
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

// catchupBuffer is how many events a private run may be ahead of its client.
const catchupBuffer = 64

// catchUp starts a private run after the given id, for the client that sits
// there. The caller drains items until it is closed or calls stop, and in any
// case calls stop.
func (s *seat) catchUp(ctx context.Context, id string) *catchup {
	ctx, cancel := context.WithCancel(ctx)
	c := &catchup{
		items:  make(chan catchupItem, catchupBuffer),
		result: make(chan error, 1),
		cancel: cancel,
	}
	after, skip := mapping.Join(id)
	p := &privateRun{
		refiner: newRefiner(s.endpoint.Route, s.vars), at: s,
		sampled: s.sampled(), items: c.items, prev: after, skip: skip,
	}
	go func() {
		defer close(c.items)
		c.result <- runSource(ctx, s.source, after, func(e adapters.Event) error { return p.emit(ctx, e) })
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
	if _, joins := p.at.feed.After(at); at == "" || !joins {
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
