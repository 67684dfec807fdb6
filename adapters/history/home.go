package history

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/rs/zerolog"

	"sidestream/adapters"
	"sidestream/adapters/history/embedded"
	"sidestream/adapters/history/lease"
	"sidestream/adapters/nats"
)

// A home is where stores with equal options keep what they keep: a server, a
// connection to it, and who runs which source.
type home struct {
	options *Options
	holder  string           // this program, among replicas
	server  *embedded.Server // nil: it runs elsewhere
	client  *nats.Client

	mu     sync.Mutex
	bucket *lease.Bucket // guarded by mu; nil before the first use, and when it has failed
	of     *nats.Session // guarded by mu; the one that bucket was opened over
}

func newHome(o *Options, log zerolog.Logger) *home {
	h := &home{options: o, holder: rand.Text()}
	client := o.client()
	if !o.external() {
		h.server = embedded.Open(o.Embedded, log)
		client.InProcess = h.server
	}
	h.client = nats.NewClient(client)
	return h
}

// Close closes the connection, and stops the server if it is in this process.
func (h *home) Close() {
	h.mu.Lock()
	if h.bucket != nil {
		h.bucket.Close()
		h.bucket = nil
	}
	h.mu.Unlock()
	_ = h.client.Close()
	if h.server != nil {
		h.server.Close()
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
	h.mu.Lock()
	defer h.mu.Unlock()
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
	h.mu.Lock()
	defer h.mu.Unlock()
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

// ensure returns the stream that keeps what k says, as it is now. It is created,
// or changed, if need be.
func (h *home) ensure(ctx context.Context, s *nats.Session, name string, k *adapters.Keep) (jetstream.Stream, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(h.options.Timeout))
	defer cancel()
	want := h.config(s, name, k)
	stream, err := s.Stream(ctx, name)
	switch {
	case errors.Is(err, jetstream.ErrStreamNotFound):
		stream, err = s.CreateStream(ctx, want)
		if errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) { // by another replica, just now
			stream, err = s.Stream(ctx, name)
		}
	case err == nil:
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
func (h *home) config(s *nats.Session, name string, k *adapters.Keep) jetstream.StreamConfig {
	duplicates := time.Duration(h.options.Duplicates)
	if k.Age > 0 {
		duplicates = min(duplicates, k.Age) // which the server insists on
	}
	subjects := []string{subjectOf(name, nil, nil)}
	if len(k.Vars) > 0 {
		subjects = []string{allSubjects(name)}
	}
	return jetstream.StreamConfig{
		Name:        name,
		Description: "what Sidestream keeps of the route " + k.Route,
		Subjects:    subjects,
		Retention:   jetstream.LimitsPolicy,
		Discard:     jetstream.DiscardOld,
		Storage:     jetstream.FileStorage,
		MaxMsgs:     unlimited(k.Events),
		MaxBytes:    unlimited(k.Bytes),
		MaxAge:      k.Age,
		Replicas:    replicas(s, k.Replicas),
		Duplicates:  duplicates,
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
	changed = is.MaxMsgs != want.MaxMsgs || is.MaxBytes != want.MaxBytes || is.MaxAge != want.MaxAge ||
		is.Replicas != want.Replicas || is.Duplicates != want.Duplicates || !slices.Equal(is.Subjects, want.Subjects)
	is.MaxMsgs, is.MaxBytes, is.MaxAge = want.MaxMsgs, want.MaxBytes, want.MaxAge
	is.Replicas, is.Duplicates, is.Subjects = want.Replicas, want.Duplicates, want.Subjects
	return changed
}
