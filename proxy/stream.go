package proxy

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"sidestream/adapters"
	"sidestream/proxy/feed"
)

// stream is one running source with its feeds. Its endpoint opens it, counts
// its clients and closes it; its supervisor (supervise.go) runs the source.
type stream struct {
	endpoint *endpoint
	key      streamKey
	vars     adapters.Vars
	source   adapters.Source
	can      adapters.Capabilities
	feeds    feeds
	log      zerolog.Logger

	cancel context.CancelFunc // ends the supervisor
	over   context.Context    //nolint:containedctx // done when the supervisor has ended: no event goes in any more

	condition atomic.Pointer[condition]
	heard     chan struct{} // closed when the condition is no longer that of the start

	// settled says that the source has delivered all that its upstream had,
	// once at least.
	settled atomic.Bool

	// confirmed is when the upstream last said that the state which clients
	// have is the current one, in nanoseconds since 1970; 0: never yet.
	confirmed atomic.Int64

	// Guarded by endpoint.mu.
	clients   int
	receiving int         // requests that bring events
	linger    *time.Timer // runs while nobody uses the stream; otherwise nil

	idleSince time.Time // when linger was started
}

// unused reports whether the stream has no clients and receives nothing.
// endpoint.mu is held.
func (s *stream) unused() bool { return s.clients == 0 && s.receiving == 0 }

// seat is a client's place in a stream.
type seat struct {
	*stream
	to   string    // the key whose events the client gets; "" where they aren't told apart
	feed *feed.Log // of that key

	// start is where in the feed a client begins that comes for the first
	// time. For the one that opens the stream that is the very first event,
	// however soon the source has it.
	start feed.Cursor
}

// streamKey tells the streams of one route apart.
type streamKey struct {
	vars      string // see varsKey
	principal string // see principal
}

// condition is whether a stream's upstream is well.
type condition struct {
	state  sourceState
	since  time.Time
	reason string                // why it is stale or failed, or was before it became fresh
	denied *adapters.DeniedError // not nil if the state is sourceDenied
}

type sourceState string

// The states of a source, as shown in metrics and by /readyz.
const (
	sourceStarting sourceState = "starting" // nothing heard yet
	sourceFresh    sourceState = "fresh"
	sourceStale    sourceState = "stale" // failed; the last good state stands
	sourceEnded    sourceState = "ended"
	sourceFailed   sourceState = "failed" // in a way that won't pass by itself
)

func sourceStates() []sourceState {
	return []sourceState{sourceStarting, sourceFresh, sourceStale, sourceEnded, sourceFailed}
}

// The states of a stream that is no longer open are final, and not counted.
const (
	sourceClosed sourceState = "closed"
	sourceDenied sourceState = "denied" // the upstream refuses the clients' credentials
)

// become changes the condition of a stream that is open, and wakes its
// clients.
func (s *stream) become(state sourceState, reason string) {
	before := s.condition.Load()
	next := &condition{state: state, since: time.Now(), reason: reason}
	// Only the supervisor gets here, and discard just once.
	if before.state == sourceClosed || before.state == sourceDenied || !s.condition.CompareAndSwap(before, next) {
		return
	}
	s.endpoint.metrics.sourceState(before.state, state)
	s.changed(before, next)
}

// changed lets those know who want to that the condition has changed.
func (s *stream) changed(before, next *condition) {
	if before.state == sourceStarting {
		close(s.heard)
	}
	if next.state != sourceClosed {
		s.log.Info().Str("from", string(before.state)).Str("to", string(next.state)).Str("reason", next.reason).Msg("source changed state")
	}
	s.feeds.Wake()
}

// fromPieces reports whether what a new client begins with is made of many
// events, so that it is there only when the source has delivered all it had.
func (s *stream) fromPieces() bool {
	return s.endpoint.Latest || s.can.Stateful && s.can.Keyed
}

// age returns how long ago the upstream last confirmed the state that clients
// have, and whether it ever has.
func (s *stream) age() (age time.Duration, ok bool) {
	at := s.confirmed.Load()
	return time.Since(time.Unix(0, at)), at != 0
}
