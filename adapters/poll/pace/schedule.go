package pace

import (
	"math/rand/v2"
	"time"
)

// A Schedule says when one poll is next due. It keeps no timer. It is not
// safe for concurrent use.
type Schedule struct {
	every    Every
	jitter   float64
	interval time.Duration // before jitter; within every

	sent   time.Time // when the last poll started; zero: none has
	spread float64   // what share of the interval is added after it

	first float64 // the phase, until the first poll has started

	soon bool // the next poll doesn't wait for the interval

	notBefore time.Time // by advice
	why       string
}

// MinSoon is the least time between the starts of two polls that follow each
// other because there was news; see [Schedule.Soon].
const MinSoon = 100 * time.Millisecond

// NewSchedule returns the schedule of a poll that was never sent. Each
// interval is varied by chance by up to jitter × interval either way; the one
// after the first poll is longer by phase × interval (see [Phases]). Both are
// from 0 to 1, and every has been checked.
func NewSchedule(every Every, jitter, phase float64) *Schedule {
	return &Schedule{every: every, jitter: jitter, first: phase, interval: time.Duration(every.Min)}
}

// Due returns when the next poll is due, and why then: "every", "news", or the
// Why of the [Advice] that puts it off. The zero time, with no reason, means at
// once: no poll was sent yet.
func (s *Schedule) Due() (at time.Time, why string) {
	if !s.sent.IsZero() {
		gap := float64(s.interval) * (1 + s.spread)
		at, why = s.sent.Add(max(MinEvery, time.Duration(gap))), "every"
		if soon := s.sent.Add(MinSoon); s.soon && soon.Before(at) {
			at, why = soon, "news"
		}
	}
	if s.notBefore.After(at) {
		at, why = s.notBefore, s.why
	}
	return at, why
}

// Sent says that a poll starts now. The next one is due an interval later,
// whatever becomes of this one.
func (s *Schedule) Sent(now time.Time) {
	s.sent = now
	s.spread = s.jitter*(2*rand.Float64()-1) + s.first
	s.first, s.soon = 0, false
}

// Soon says that the next poll is to follow at once, as with an API that holds
// a request until it has news, but not sooner than MinSoon after the last one
// was sent: an API that always has news is not to be asked without end.
func (s *Schedule) Soon() { s.soon = true }

// Changed says that the last poll found a change: the interval, the one that
// has begun included, is the shortest.
func (s *Schedule) Changed() { s.interval = time.Duration(s.every.Min) }

// Unchanged says that the last poll found what was there before: the
// interval, the one that has begun included, is half as long again, up to the
// longest.
func (s *Schedule) Unchanged() {
	s.interval = min(s.interval*3/2, time.Duration(s.every.Max))
}

// Wait puts the next poll off until what an API asked for at now has passed.
// It is put off by up to a tenth more, by chance, so that many clients that
// were told the same don't come in step. Of several the longest holds.
func (s *Schedule) Wait(a Advice, now time.Time) {
	wait := min(a.Wait, MaxWait)
	if wait <= 0 {
		return
	}
	wait += time.Duration(rand.Float64() * float64(wait) / 10)
	if until := now.Add(wait); until.After(s.notBefore) {
		s.notBefore, s.why = until, a.Why
	}
}
