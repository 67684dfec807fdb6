package proxy

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"sidestream/adapters"
	"sidestream/proxy/feed"
)

// stream is one running source with its feed. Its endpoint opens it, counts
// its clients and closes it; its supervisor (supervise.go) runs the source.
type stream struct {
	endpoint *endpoint
	key      string
	vars     adapters.Vars
	source   adapters.Source
	can      adapters.Capabilities
	feed     *feed.Log
	log      zerolog.Logger

	cancel context.CancelFunc // ends the supervisor

	condition atomic.Pointer[condition]

	// Guarded by endpoint.mu.
	clients int
	linger  *time.Timer // runs while clients is 0; otherwise nil

	idleSince time.Time // when linger was started
}

// condition is whether a stream's upstream is well.
type condition struct {
	state  sourceState
	since  time.Time
	reason string // why it is stale or failed, or was before it became fresh
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

// sourceClosed is the state of a stream that is no longer open. It is final,
// and not shown.
const sourceClosed sourceState = "closed"

// become changes the condition of a stream that is open, and wakes its
// clients.
func (s *stream) become(state sourceState, reason string) {
	before := s.condition.Load()
	next := &condition{state: state, since: time.Now(), reason: reason}
	// Only the supervisor gets here, and close just once.
	if before.state == sourceClosed || !s.condition.CompareAndSwap(before, next) {
		return
	}
	s.endpoint.metrics.sourceState(before.state, state)
	s.log.Info().Str("from", string(before.state)).Str("to", string(state)).Str("reason", reason).Msg("source changed state")
	s.feed.Wake()
}
