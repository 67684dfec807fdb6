package history

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
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
	holder  string           // this program, among replicas
	server  *embedded.Server // nil: it runs elsewhere
	leave   func()           // gives server up
	client  *nats.Client
	look    time.Duration // how often a writer looks whether the state is still there

	// turn is taken by who uses what follows, which may take a while.
	turn   chan struct{}
	bucket *lease.Bucket // nil before the first use, and when it has failed
	over   *nats.Session // which bucket was opened over
}

func newHome(o *Options, servers *shared.Pool[*embedded.Server], log zerolog.Logger) *home {
	h := &home{options: o, holder: rand.Text(), look: lookInterval, turn: make(chan struct{}, 1)}
	client := o.client()
	if !o.external() {
		h.server, h.leave = servers.Join(
			func(e *embedded.Server) bool { return e.Options() == o.Embedded },
			func() *embedded.Server { return embedded.Open(o.Embedded, log) },
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
	if h.bucket != nil && h.over.Lost == s.Lost {
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
	h.bucket, h.over = b, s
	return b, nil
}

// drop gives up leases with which something is wrong.
func (h *home) drop(ctx context.Context, b *lease.Bucket) {
	select {
	case h.turn <- struct{}{}:
		defer func() { <-h.turn }()
	case <-ctx.Done():
		return // whoever comes next finds out
	}
	if h.bucket == b {
		h.bucket.Close()
		h.bucket = nil
	}
}
