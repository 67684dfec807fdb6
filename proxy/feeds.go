package proxy

import (
	"cmp"
	"math"
	"time"

	"sidestream/adapters"
	"sidestream/proxy/feed"
	"sidestream/proxy/mapping"
)

// feeds are what a stream's source fills: one log for all of its clients, or,
// on a route that matches clients by key, one for each key.
type feeds interface {
	// The appender's side, as of [feed.Log] and [feed.Keyed]. AppendGap and
	// Restart are for the clients of all keys, AppendGapTo for those of one.
	Append(key string, e *adapters.Event) error
	AppendGap(g feed.Gap) error
	AppendGapTo(key string, g feed.Gap) error
	Restart(g feed.Gap) error
	Mark(id string)
	Settle()
	Close()

	// Wake wakes all clients, and Trim forgets what is too old.
	Wake()
	Trim()

	// Acquire returns the log of key, with one client more, and Release takes
	// that away.
	Acquire(key string) *feed.Log
	Release(key string)

	// Expired is that of the log of key, which may know less by itself.
	Expired(key, id string) *feed.OverrunError
}

// newFeeds returns the empty feeds of a stream of p.
func (p *endpoint) newFeeds() feeds {
	cache := p.History.inMemory()
	o := feed.Options{
		Events: cache.Events,
		Bytes:  int64(cache.Bytes),
		Age:    time.Duration(p.History.Age),
		Keys:   p.History.Keys,

		KeyBytes: int64(p.History.KeyBytes),
		Latest:   (p.Latest || p.Slow == SlowLatest) && !p.can.Stateful, // states are kept anyway
		Compare:  p.order,
		Selects:  p.can.Selects,
		Partial:  p.can.Partitioned,
	}
	if p.matcher == nil {
		return oneFeed{feed.New(o)}
	}
	idle := p.History.Idle
	return keyedFeeds{feed.NewKeyed(feed.KeyedOptions{
		Log:    o,
		Single: p.Event.Key == "" && (p.Key == "" || !p.can.Stateful),
		Idle:   feed.Idle{Events: idle.Events, Bytes: int64(idle.Bytes), Age: time.Duration(idle.Age)},
	})}
}

// orderOf returns the order of ids, given that of positions, or nil if they
// have none. That of several events made of one message is their order, behind
// the message before.
func orderOf(can adapters.Capabilities) func(a, b string) (order int, ok bool) {
	if can.Compare == nil {
		return nil
	}
	return func(a, b string) (int, bool) {
		posA, partA := mapping.Join(a)
		posB, partB := mapping.Join(b)
		if can.Partitioned { // the position is that of the last of them
			partA, partB = orLast(partA), orLast(partB)
		}
		order, ok := can.Compare(posA, posB)
		switch {
		case !ok:
			return 0, false
		case order == 0:
			// In one place after two messages, a part of one is no place of the other.
			ok = posA == posB || partA == partB
			order = cmp.Compare(partA, partB)
		case order < 0:
			ok = lacks(can, posA, posB)
		case order > 0:
			ok = lacks(can, posB, posA)
		}
		return order, ok
	}
}

// lacks reports whether who is at pos lacks the event that is right before
// behind, a place behind that. It is so if places have an order. Where sources
// are Partitioned one may have come to that event, but not to others before it.
func lacks(can adapters.Capabilities, pos, behind adapters.Position) bool {
	if !can.Partitioned {
		return true
	}
	before, ok := can.Before(behind)
	if !ok {
		return true // no event is
	}
	order, ok := can.Compare(pos, before)
	return ok && order <= 0
}

// orLast returns the number of a part of a message, given that the last has none.
func orLast(part int) int {
	if part == 0 {
		return math.MaxInt
	}
	return part
}

// oneFeed is one log for all.
type oneFeed struct{ *feed.Log }

// Append implements [feeds], like all the rest.
func (f oneFeed) Append(_ string, e *adapters.Event) error { return f.Log.Append(e) }

// AppendGapTo is [feed.Log.AppendGap].
func (f oneFeed) AppendGapTo(_ string, g feed.Gap) error { return f.AppendGap(g) }

// Acquire returns the log.
func (f oneFeed) Acquire(string) *feed.Log { return f.Log }

// Release does nothing: the log stays for as long as the stream is open.
func (f oneFeed) Release(string) {}

// Expired is [feed.Log.Expired].
func (f oneFeed) Expired(_, id string) *feed.OverrunError { return f.Log.Expired(id) }

// keyedFeeds is one log for each key.
type keyedFeeds struct{ *feed.Keyed }

// Expired tells a client that was here before from one with an id that says
// nothing. How many events of its key it has missed, nobody knows.
func (f keyedFeeds) Expired(key, id string) *feed.OverrunError {
	if !f.Keyed.Expired(id) {
		return nil
	}
	log := f.Acquire(key)
	defer f.Release(key)
	return &feed.OverrunError{Lost: -1, Resume: log.Tail(-1)}
}
