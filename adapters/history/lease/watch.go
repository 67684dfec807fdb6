package lease

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"sidestream/adapters"
)

// idleThreshold is for how long the server keeps the consumer of a process
// that is gone.
const idleThreshold = time.Minute

// The bounds of how often the server says that it has nothing to say. Twice
// that without a word, and the consumer is taken for gone.
const (
	minBeat = 500 * time.Millisecond // the library allows no less
	maxBeat = 5 * time.Second
)

// A watcher receives the newest entry of each lease, and then what changes.
type watcher struct {
	bucket   *Bucket
	name     string
	messages jetstream.MessagesContext
	count    uint64 // messages so far
}

// errOther says that what contenders know of the bucket is worth nothing. The
// others are what it is about.
var (
	errOther  = errors.New("the bucket isn't the one that it was")
	errGone   = fmt.Errorf("%w: it was deleted", errOther)
	errAnew   = fmt.Errorf("%w: it was created anew", errOther)
	errBehind = errors.New("the bucket has less in it than it had")
	errGap    = errors.New("entries were missed")
)

// catchUp is how long a server that has become the bucket's leader just now is
// given to have all that was in it.
const catchUp = time.Second

// watch creates a watcher, after having made sure that the bucket is the one
// that it was.
func (b *Bucket) watch(ctx context.Context) (*watcher, error) {
	ctx, cancel := context.WithTimeout(ctx, b.options.setup())
	defer cancel()
	stream, err := b.js.Stream(ctx, streamOf(b.options.Bucket))
	switch {
	case errors.Is(err, jetstream.ErrStreamNotFound):
		return nil, adapters.Transient(reasonGone, errGone)
	case err != nil:
		return nil, err
	}
	info := stream.CachedInfo()
	b.mu.Lock()
	newest := b.newest
	b.mu.Unlock()
	switch {
	case !info.Created.Equal(b.created):
		return nil, adapters.Transient(reasonAnew, errAnew)
	case info.State.LastSeq < newest:
		return nil, errBehind
	}
	w := &watcher{bucket: b, name: "lease-" + rand.Text()}
	consumer, err := stream.CreateConsumer(ctx, jetstream.ConsumerConfig{
		Name:              w.name,
		DeliverPolicy:     jetstream.DeliverLastPerSubjectPolicy,
		FilterSubject:     b.prefix + ">",
		AckPolicy:         jetstream.AckNonePolicy,
		MemoryStorage:     true,
		Replicas:          1,
		InactiveThreshold: idleThreshold,
	})
	if err != nil {
		return nil, fmt.Errorf("watch: %w", err)
	}
	beat := min(max(b.options.TTL/6, minBeat), maxBeat)
	if w.messages, err = consumer.Messages(jetstream.PullHeartbeat(beat), jetstream.PullExpiry(6*beat)); err != nil {
		return nil, fmt.Errorf("watch: %w", err)
	}
	return w, nil
}

// close ends the watcher. The server removes by itself what can't be removed
// now.
func (w *watcher) close(ctx context.Context) {
	if w == nil {
		return
	}
	w.messages.Stop()
	b := w.bucket
	if !b.conn.IsConnected() {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), b.options.request())
	defer cancel()
	_ = b.js.DeleteConsumer(ctx, streamOf(b.options.Bucket), w.name)
}

// run dispatches what comes, until something is wrong.
func (w *watcher) run(ctx context.Context) error {
	for {
		m, err := w.messages.Next(jetstream.NextContext(ctx))
		if err != nil {
			return err
		}
		at := time.Now()
		meta, err := m.Metadata()
		if err != nil {
			return err
		}
		if w.count++; meta.Sequence.Consumer != w.count {
			return errGap
		}
		key := strings.TrimPrefix(m.Subject(), w.bucket.prefix)
		w.bucket.dispatch(key, parse(m.Data(), m.Headers(), meta.Sequence.Stream), at)
	}
}

// follow runs the watcher, and another one whenever it fails: a new one begins
// with the newest entry of each lease, so that nothing is missed but what is
// past. If there can't be one for too long, the bucket fails.
func (b *Bucket) follow(ctx context.Context, w *watcher) {
	for {
		_ = w.run(ctx) // whatever it was, another one is the remedy
		w.close(ctx)
		for since := time.Now(); ; {
			if ctx.Err() != nil {
				return
			}
			var err error
			if w, err = b.watch(ctx); err == nil {
				break
			}
			switch {
			case errors.Is(err, errOther):
				b.fail(err)
				return
			case errors.Is(err, errBehind) && time.Since(since) > catchUp: // it was kept in memory
				b.fail(adapters.Transient(reasonAnew, fmt.Errorf("%w: %w", errOther, err)))
				return
			case time.Since(since) > b.options.patience():
				b.fail(silent(err))
				return
			}
			pause(ctx, b.options.backoff())
		}
	}
}

// silent returns the error for requests that have failed for too long.
func silent(err error) error { return adapters.Transient(reasonSilent, err) }
