package history

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"sidestream/adapters/nats"
)

// replicas returns on how many servers a stream is to be kept.
func replicas(s *nats.Session, configured int) int {
	switch {
	case configured > 0:
		return configured
	case s.Clustered():
		return 3
	default:
		return 1
	}
}

// ensure returns the stream of a factory's sources, as it is now. It is created
// if it isn't there, and, by who writes it, changed if need be.
func (h *home) ensure(ctx context.Context, s *nats.Session, f *factory, writes bool) (jetstream.Stream, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(h.options.Timeout))
	defer cancel()
	name := f.stream
	want := h.config(s, f)
	stream, err := s.Stream(ctx, name)
	switch {
	case errors.Is(err, jetstream.ErrStreamNotFound):
		stream, err = s.CreateStream(ctx, want)
		if errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) { // by another replica, just now
			stream, err = s.Stream(ctx, name)
		}
	case err == nil && writes:
		if is := stream.CachedInfo().Config; adapt(&is, &want) {
			stream, err = s.UpdateStream(ctx, is)
		}
	}
	if err != nil {
		return nil, passing(nats.Classify(fmt.Errorf("stream %s of the history: %w", name, err)))
	}
	return stream, nil
}

// config returns the configuration of a route's stream.
//
// How many events it has is a bound for each source, if each event says which
// one it follows ([pass.follow]). Where many write, the oldest of all have to go
// first, or nobody would know.
func (h *home) config(s *nats.Session, f *factory) jetstream.StreamConfig {
	name, k := f.stream, &f.keep
	duplicates := time.Duration(h.options.Duplicates)
	if k.Age > 0 {
		duplicates = min(duplicates, k.Age) // which the server insists on
	}
	subjects := []string{subjectOf(name, nil, nil)}
	if len(k.Vars) > 0 {
		subjects = []string{allSubjects(name)}
	}
	all, each := unlimited(k.Events), int64(-1)
	if len(k.Vars) > 0 && !f.can.Ingest {
		all, each = each, all
	}
	return jetstream.StreamConfig{
		Name:        name,
		Description: "what Sidestream keeps of the route " + k.Route,
		Subjects:    subjects,
		Retention:   jetstream.LimitsPolicy,
		Discard:     jetstream.DiscardOld,
		Storage:     jetstream.FileStorage,
		MaxMsgs:     all,

		MaxMsgsPerSubject: each,
		MaxBytes:          unlimited(k.Bytes),
		MaxAge:            k.Age,
		Replicas:          replicas(s, k.Replicas),
		Duplicates:        duplicates,
	}
}

// unlimited returns n as JetStream has it, for which -1 is no bound.
func unlimited(n int64) int64 {
	if n <= 0 {
		return -1
	}
	return n
}

// adapt makes of a stream's configuration what it should be, and reports whether
// that is another one. What else somebody has set stays.
func adapt(is, want *jetstream.StreamConfig) (changed bool) {
	changed = is.MaxMsgs != want.MaxMsgs || is.MaxMsgsPerSubject != want.MaxMsgsPerSubject || is.MaxBytes != want.MaxBytes || is.MaxAge != want.MaxAge ||
		is.Replicas != want.Replicas || is.Duplicates != want.Duplicates || !slices.Equal(is.Subjects, want.Subjects)
	is.MaxMsgs, is.MaxMsgsPerSubject, is.MaxBytes, is.MaxAge = want.MaxMsgs, want.MaxMsgsPerSubject, want.MaxBytes, want.MaxAge
	is.Replicas, is.Duplicates, is.Subjects = want.Replicas, want.Duplicates, want.Subjects
	return changed
}
