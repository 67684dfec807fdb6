package history

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/rs/zerolog"

	"sidestream/adapters"
	"sidestream/adapters/history/embedded"
	"sidestream/adapters/history/lease"
	"sidestream/adapters/nats"
	"sidestream/adapters/shared"
)

// A home is where stores with equal options keep what they keep: a server, a
// connection to it, and who runs which source.
type home struct {
	options *Options
	holder  string  // this program, among replicas
	server  *engine // nil: it runs elsewhere
	leave   func()  // gives server up
	client  *nats.Client

	// turn is taken by who uses what follows, which may take a while.
	turn   chan struct{}
	bucket *lease.Bucket // nil before the first use, and when it has failed
	of     *nats.Session // the one that bucket was opened over
}

// An engine is a server in this process. Homes share one on the same directory.
type engine struct {
	*embedded.Server
	options embedded.Options
}

func newHome(o *Options, engines *shared.Pool[*engine], log zerolog.Logger) *home {
	h := &home{options: o, holder: rand.Text(), turn: make(chan struct{}, 1)}
	client := o.client()
	if !o.external() {
		h.server, h.leave = engines.Join(
			func(e *engine) bool { return e.options == o.Embedded },
			func() *engine { return &engine{embedded.Open(o.Embedded, log), o.Embedded} },
		)
		client.InProcess = h.server
	}
	h.client = nats.NewClient(client)
	return h
}

// Close closes the connection, and stops the server if it is in this process.
func (h *home) Close() {
	if h.bucket != nil { // nobody uses it any more
		h.bucket.Close()
		h.bucket = nil
	}
	_ = h.client.Close()
	if h.server != nil {
		h.leave()
	}
}

// session returns a session over the connection. Errors are classified.
func (h *home) session(ctx context.Context) (*nats.Session, error) {
	s, err := h.client.Session(ctx)
	if h.server != nil && err != nil && ctx.Err() == nil {
		if trouble := h.server.Trouble(); trouble != nil {
			return nil, trouble // why there is no connection
		}
	}
	return s, passing(err)
}

// passing returns err, which is classified, as a failure that may pass: whoever
// mends the servers' configuration should not have to restart all programs.
func passing(err error) error {
	var u *adapters.UpstreamError
	if errors.As(err, &u) && u.Permanent {
		return adapters.Transient(u.Reason, u.Err)
	}
	return err
}

// leases returns the leases of all sources.
func (h *home) leases(ctx context.Context) (*lease.Bucket, error) {
	s, err := h.session(ctx)
	if err != nil {
		return nil, err
	}
	select {
	case h.turn <- struct{}{}:
		defer func() { <-h.turn }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if h.bucket != nil && h.of.Lost == s.Lost {
		return h.bucket, nil
	}
	if h.bucket != nil {
		h.bucket.Close()
		h.bucket = nil
	}
	storage := jetstream.FileStorage
	if h.server != nil {
		storage = jetstream.MemoryStorage // whoever held one is gone with the server
	}
	ctx, cancel := context.WithTimeout(ctx, time.Duration(h.options.Timeout))
	defer cancel()
	b, err := lease.Open(ctx, s.JetStream, lease.Options{
		Bucket:   h.options.Prefix + "-leases",
		Replicas: replicas(s, 0),
		TTL:      time.Duration(h.options.Lease),
		Holder:   h.holder,
		Storage:  storage,
	})
	if err != nil {
		return nil, passing(nats.Classify(fmt.Errorf("open the leases: %w", err)))
	}
	h.bucket, h.of = b, s
	return b, nil
}

// drop gives up leases with which something is wrong.
func (h *home) drop(b *lease.Bucket) {
	h.turn <- struct{}{}
	defer func() { <-h.turn }()
	if h.bucket == b {
		h.bucket.Close()
		h.bucket = nil
	}
}

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
