//go:build !sidestream_noembed

package embedded

import (
	"fmt"
	"sync"
	"time"

	"github.com/rs/zerolog"
)

// A logger takes what nats-server has to say, and remembers what it wants to
// end the process for.
type logger struct {
	log     zerolog.Logger
	sampled zerolog.Logger // for what there may be much of
	failed  chan struct{}  // has an element if there was an error that nobody has looked at

	mu    sync.Mutex
	worst error  // guarded by mu; the first reason to end the process
	last  string // guarded by mu; the last warning
}

func newLogger(log zerolog.Logger) *logger {
	return &logger{
		log:     log,
		sampled: log.Sample(&zerolog.BurstSampler{Burst: 10, Period: 10 * time.Second}),
		failed:  make(chan struct{}, 1),
	}
}

// fatal returns why the server wanted to end the process, or nil.
func (l *logger) fatal() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.worst
}

// warning returns the last warning, if there was one.
func (l *logger) warning() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last
}

// Noticef logs what the server finds worth telling at each start, and who
// started it doesn't.
func (l *logger) Noticef(format string, args ...any) { l.log.Debug().Msgf(format, args...) }

// Debugf is off; see [startEngine].
func (l *logger) Debugf(format string, args ...any) { l.log.Trace().Msgf(format, args...) }

// Tracef is off too.
func (l *logger) Tracef(format string, args ...any) { l.log.Trace().Msgf(format, args...) }

// Warnf logs, among others, what could not be opened.
func (l *logger) Warnf(format string, args ...any) {
	l.sampled.Warn().Msgf(format, args...)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last = fmt.Sprintf(format, args...)
}

// Errorf logs, among others, what could not be written.
func (l *logger) Errorf(format string, args ...any) {
	l.sampled.Error().Msgf(format, args...)
	l.wake()
}

// Fatalf doesn't end the process. The server returns from its start after it,
// and is to be stopped.
func (l *logger) Fatalf(format string, args ...any) {
	l.mu.Lock()
	if l.worst == nil {
		l.worst = fmt.Errorf(format, args...)
	}
	l.mu.Unlock()
	l.wake()
}

func (l *logger) wake() {
	select {
	case l.failed <- struct{}{}:
	default: // it is known
	}
}
