package nats

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"sidestream/adapters"
)

// A streamState is what the server says of a stream at one moment.
type streamState struct {
	id       identity
	first    uint64 // sequence of the oldest message; last+1 if there is none
	last     uint64 // sequence of the newest message ever; 0 if there was none
	messages uint64
	subjects uint64    // how many of them have messages
	oldest   time.Time // when the one with sequence first was stored
	newest   time.Time // and the one with sequence last
	asOf     time.Time // by the server's clock
	node     string    // the server of a cluster that says so, the stream's leader; empty without a cluster
	config   jetstream.StreamConfig
}

// look asks for the state of the stream. Errors are classified.
func (s *session) look(ctx context.Context) (streamState, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	stream, err := s.js.Stream(ctx, s.stream)
	if err != nil {
		return streamState{}, s.failed(ctx, "look at", err)
	}
	s.seen.Store(true)
	info := stream.CachedInfo()
	st := streamState{
		id:       identify(s.stream, info.Created),
		first:    info.State.FirstSeq,
		last:     info.State.LastSeq,
		messages: info.State.Msgs,
		subjects: info.State.NumSubjects,
		oldest:   info.State.FirstTime,
		newest:   info.State.LastTime,
		asOf:     info.TimeStamp,
		config:   info.Config,
	}
	if info.Cluster != nil {
		st.node = info.Cluster.Leader
	}
	if st.messages == 0 {
		st.first = st.last + 1 // of one that never had a message, the server says 0 or 1
	}
	return st, nil
}

// A stream that ends before a place that somebody has been at was set back, to
// a backup say; or its leader is new, and doesn't know yet all that the one
// before it has acknowledged. catchUpTime is how long the latter may take, and
// catchUpInterval how often to look.
const (
	catchUpTime     = 3 * time.Second
	catchUpInterval = 500 * time.Millisecond
)

// reaches waits, for a while, until the stream has come as far as the sequence
// seq, and returns its state then, or else the last one seen.
func (s *session) reaches(ctx context.Context, seq uint64) (st streamState, err error) {
	for until := time.Now().Add(catchUpTime); ; {
		if st, err = s.look(ctx); err != nil || st.last >= seq || st.config.Replicas < 2 || time.Now().After(until) {
			return st, err
		}
		if !adapters.Pause(ctx, catchUpInterval) {
			return st, context.Cause(ctx)
		}
	}
}

// clockSkew is how far the clocks of a cluster's servers may be apart.
const clockSkew = 2 * time.Second

// inMemory reports whether the stream is lost when its servers restart. A
// cluster then has it again, empty, and as if it were the same.
func (st *streamState) inMemory() bool { return st.config.Storage == jetstream.MemoryStorage }

// restarted reports whether sequences have begun anew since somebody was at
// the place: the oldest message, which is not behind it, is newer than its.
func (st *streamState) restarted(at place) bool {
	return st.inMemory() && at.at > 1 && st.messages > 0 && st.first <= at.seq && st.oldest.Sub(time.Unix(at.at+1, 0)) > clockSkew
}

// every reports whether the filters, of which none stands for everything,
// select all messages that the stream can have.
func (st *streamState) every(filters []string) bool {
	if len(filters) == 0 || slices.Contains(filters, anyRest) {
		return true
	}
	if len(st.config.Subjects) == 0 || len(st.config.Sources) > 0 {
		return false // what it copies may have any subject
	}
	for _, subject := range st.config.Subjects {
		if !slices.ContainsFunc(filters, func(f string) bool { return subsumes(f, subject) }) {
			return false
		}
	}
	return true
}

// numbered reports whether each of the stream's sequences was that of a
// message. A mirror that copies only some of its origin's messages has their
// sequences, and nothing at the others.
func (st *streamState) numbered() bool {
	m := st.config.Mirror
	return m == nil || m.FilterSubject == "" && len(m.SubjectTransforms) == 0
}

// subsumes reports whether each subject that pattern b matches is matched by
// pattern a.
func subsumes(a, b string) bool {
	as, bs := strings.Split(a, separator), strings.Split(b, separator)
	for i, t := range as {
		switch {
		case t == anyRest:
			return len(bs) > i
		case i >= len(bs) || bs[i] == anyRest:
			return false
		case t != anyToken && t != bs[i]:
			return false
		}
	}
	return len(as) == len(bs)
}
