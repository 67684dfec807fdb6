package proxy

import (
	"context"

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
	live  string // upstream has no more up to here
}

// catchupBuffer is how many events a private run may be ahead of its client.
const catchupBuffer = 64

// catchUp starts a private run after the given id. The caller drains items
// until it is closed or calls stop, and in any case calls stop.
func (s *stream) catchUp(ctx context.Context, id string) *catchup {
	ctx, cancel := context.WithCancel(ctx)
	c := &catchup{
		items:  make(chan catchupItem, catchupBuffer),
		result: make(chan error, 1),
		cancel: cancel,
	}
	after, skip := mapping.Join(id)
	p := &privateRun{
		refiner: newRefiner(s.endpoint.Route, s.vars), stream: s,
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
	stream  *stream
	sampled zerolog.Logger
	items   chan<- catchupItem
	prev    adapters.Position
	skip    int // events of the first message that the client has already
}

func (p *privateRun) emit(ctx context.Context, e adapters.Event) error {
	prev := p.prev
	if e.Position != "" {
		p.prev = e.Position
	}
	if e.Live {
		return p.send(ctx, catchupItem{live: string(e.Position)})
	}
	events, err := p.refine(ctx, &e, prev)
	skip := min(p.skip, len(events))
	p.skip = 0
	for i := skip; err == nil && i < len(events); i++ {
		var block []byte
		if block, err = feed.Encode(&events[i]); err == nil {
			if err := p.send(ctx, catchupItem{entry: feed.Entry{ID: string(events[i].Position), Block: block}}); err != nil {
				return err
			}
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		g := p.stream.refused(&e, prev, err, p.sampled)
		return p.send(ctx, catchupItem{entry: feed.Entry{Gap: &g}})
	}
	return nil
}

func (p *privateRun) send(ctx context.Context, i catchupItem) error {
	select {
	case p.items <- i:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
