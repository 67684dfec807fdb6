package lease

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	natsgo "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"sidestream/adapters"
)

// Reasons that clients may see.
const (
	reasonLost   = "connection to NATS lost"
	reasonClosed = "leases are closed"
	reasonGone   = "leases are gone"
	reasonAnew   = "leases were created anew"
	reasonSilent = "leases are unavailable for the moment"
	reasonShort  = "leases are kept too short"
)

// A Bucket is the leases that are kept in one bucket, over one connection.
type Bucket struct {
	options Options
	conn    *natsgo.Conn
	js      jetstream.JetStream
	kv      jetstream.KeyValue
	stream  jetstream.Stream
	created time.Time // when the stream was, by which it is told from another one
	prefix  string    // of the subjects of entries

	stop       context.CancelFunc
	goroutines sync.WaitGroup // the bucket's own
	contenders sync.WaitGroup

	mu     sync.Mutex // may be taken by one who has a contender's, not the other way round
	failed error      // guarded by mu; why it is of no use any more
	newest uint64     // guarded by mu; the greatest revision that was ever seen
	byKey  map[string]map[*contender]bool
}

// Open returns the leases of a bucket, which is created if it isn't there. js
// is of a connection that isn't made again when it is lost.
//
// Errors are those of the client library, but for what is wrong with the
// options or with a bucket that is there, which is permanent.
func Open(ctx context.Context, js jetstream.JetStream, o Options) (*Bucket, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	kv, err := bind(ctx, js, &o)
	if err != nil {
		return nil, fmt.Errorf("lease bucket %s: %w", o.Bucket, err)
	}
	b := &Bucket{
		options: o,
		conn:    js.Conn(),
		js:      js,
		kv:      kv,
		prefix:  "$KV." + o.Bucket + ".",
		byKey:   make(map[string]map[*contender]bool),
	}
	if b.stream, err = js.Stream(ctx, streamOf(o.Bucket)); err != nil {
		return nil, fmt.Errorf("lease bucket %s: %w", o.Bucket, err)
	}
	info := b.stream.CachedInfo()
	b.created, b.newest = info.Created, info.State.LastSeq
	if age := info.Config.MaxAge; age > 0 && age < 2*maxTTL { // an entry that is held must not vanish
		return nil, adapters.Permanent(reasonShort, fmt.Errorf("lease bucket %s: its entries last %v, want at least %v", o.Bucket, age, 2*maxTTL))
	}

	alive, stop := context.WithCancel(context.WithoutCancel(ctx))
	b.stop = stop
	status := b.conn.StatusChanged(natsgo.CLOSED, natsgo.RECONNECTING, natsgo.DISCONNECTED)
	w, err := b.watch(ctx)
	if err == nil && !b.conn.IsConnected() {
		err = natsgo.ErrConnectionClosed
	}
	if err != nil {
		b.conn.RemoveStatusListener(status)
		w.close(ctx)
		stop()
		return nil, fmt.Errorf("lease bucket %s: %w", o.Bucket, err)
	}
	b.goroutines.Go(func() { b.guard(alive, status) })
	b.goroutines.Go(func() { b.follow(alive, w) })
	return b, nil
}

// bind returns the bucket, created if it isn't there, by this process or by
// another one at the same time.
func bind(ctx context.Context, js jetstream.JetStream, o *Options) (jetstream.KeyValue, error) {
	kv, err := js.KeyValue(ctx, o.Bucket)
	if !errors.Is(err, jetstream.ErrBucketNotFound) {
		return kv, err
	}
	kv, err = js.CreateKeyValue(ctx, o.config())
	if errors.Is(err, jetstream.ErrBucketExists) {
		return js.KeyValue(ctx, o.Bucket)
	}
	return kv, err
}

// streamOf returns the name of the stream that a bucket is
// (https://github.com/nats-io/nats-architecture-and-design/blob/main/adr/ADR-8.md).
func streamOf(bucket string) string { return "KV_" + bucket }

// Close ends every Contend, as a failure of the bucket does, and waits until
// all have returned. It must not be called by what they call.
func (b *Bucket) Close() {
	b.fail(adapters.Transient(reasonClosed, nil))
	b.contenders.Wait()
	b.stop()
	b.goroutines.Wait()
}

// guard fails the bucket when its connection is lost.
func (b *Bucket) guard(ctx context.Context, status chan natsgo.Status) {
	defer b.conn.RemoveStatusListener(status)
	select {
	case <-status:
		b.fail(adapters.Transient(reasonLost, b.conn.LastError()))
	case <-ctx.Done():
	}
}

// fail ends every Contend with an error, and those that are yet to come.
func (b *Bucket) fail(err error) {
	b.mu.Lock()
	var all []*contender
	if b.failed == nil {
		b.failed = err
		for _, set := range b.byKey {
			for c := range set {
				all = append(all, c)
			}
		}
	}
	b.mu.Unlock()
	for _, c := range all {
		c.fail(err)
	}
}

// join adds a contender, unless the bucket has failed.
func (b *Bucket) join(c *contender) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.failed != nil {
		return b.failed
	}
	b.contenders.Add(1)
	if b.byKey[c.key] == nil {
		b.byKey[c.key] = make(map[*contender]bool)
	}
	b.byKey[c.key][c] = true
	return nil
}

// leave removes a contender. What it could not release is free to the others of
// this process.
func (b *Bucket) leave(c *contender) {
	b.mu.Lock()
	delete(b.byKey[c.key], c)
	others := b.of(c.key)
	if len(others) == 0 {
		delete(b.byKey, c.key)
	}
	b.mu.Unlock()
	for _, other := range others {
		signal(other.changed)
	}
	b.contenders.Done()
}

// of returns the contenders for a key. The caller holds b.mu.
func (b *Bucket) of(key string) []*contender {
	list := make([]*contender, 0, len(b.byKey[key]))
	for c := range b.byKey[key] {
		list = append(list, c)
	}
	return list
}

// left reports whether e was written by a contender of this process that has
// returned.
func (b *Bucket) left(key string, e *entry) bool {
	if e.Holder != b.options.Holder {
		return false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for c := range b.byKey[key] {
		if c.id == e.ID {
			return false
		}
	}
	return true
}

// know notes that the bucket has had an entry of that revision.
func (b *Bucket) know(revision uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.newest = max(b.newest, revision)
}

// dispatch tells the contenders for a key of its entry.
func (b *Bucket) dispatch(key string, e entry, at time.Time) {
	b.know(e.revision)
	b.mu.Lock()
	list := b.of(key)
	b.mu.Unlock()
	for _, c := range list {
		c.note(e, at)
	}
}
