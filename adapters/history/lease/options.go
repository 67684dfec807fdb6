package lease

import (
	"crypto/rand"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"sidestream/adapters"
)

// DefaultTTL is the TTL of leases where none is given.
const DefaultTTL = 10 * time.Second

// The bounds of a TTL. A shorter one would be lost to a garbage collection or a
// slow disk, and a longer one keeps others waiting for a dead holder.
const (
	minTTL = time.Second
	maxTTL = 10 * time.Minute
)

// retention is how long the bucket keeps an entry that nobody writes. Those
// that are held are written all the time.
const retention = time.Hour

// Options say where leases are kept and for how long they last.
type Options struct {
	// Bucket is the name of the key-value bucket. It is created if it isn't
	// there; one that is there is used as it is.
	Bucket string

	// Holder tells this process from all others, for as long as the bucket
	// exists: a random text that was made when it started. Buckets that are
	// open at the same time must have different ones. The one that is opened
	// anew after a connection was lost should have the same: then it takes
	// back at once what this process has held before. Empty: a new random one.
	Holder string

	// TTL is for how long a holder that says nothing is still taken for alive:
	// from 1s to 10m; 0 is [DefaultTTL]. It is told with each lease, so that
	// replicas may differ in it.
	TTL time.Duration

	// Storage and Replicas are where, and on how many servers, a bucket that
	// is created is kept; 0 replicas are 1. MaxBytes is the bound of its size,
	// for accounts that ask for one; 0 is none.
	Storage  jetstream.StorageType
	Replicas int
	MaxBytes int64
}

// check sets the defaults and returns what is wrong with the options.
func (o *Options) check() error {
	if o.TTL == 0 {
		o.TTL = DefaultTTL
	}
	if o.Holder == "" {
		o.Holder = rand.Text()
	}
	if o.TTL < minTTL || o.TTL > maxTTL {
		return adapters.Permanent("leases are set up wrongly", fmt.Errorf("TTL of leases: got %v, want from %v to %v", o.TTL, minTTL, maxTTL))
	}
	return nil
}

// config returns what the bucket is created with.
func (o *Options) config() jetstream.KeyValueConfig {
	return jetstream.KeyValueConfig{
		Bucket:      o.Bucket,
		Description: "who runs which source",
		TTL:         retention,
		Storage:     o.Storage,
		Replicas:    o.Replicas,
		MaxBytes:    o.MaxBytes,
	}
}

// certain is for how long after it was written a lease is certainly held, by
// the holder's clock. What it lacks to the TTL is for the holder to stop.
func (o *Options) certain() time.Duration { return 2 * o.TTL / 3 }

// renewal is how often a lease is written while it is held.
func (o *Options) renewal() time.Duration { return o.TTL / 3 }

// request bounds one exchange with the server.
func (o *Options) request() time.Duration {
	return min(max(o.TTL/5, 250*time.Millisecond), 2*time.Second)
}

// setup bounds the making of a watcher, which is more than one exchange and, in
// a cluster, not with the bucket's leader alone.
func (o *Options) setup() time.Duration { return max(2*o.request(), 2*time.Second) }

// patience is for how long requests may fail in a row before that is said.
func (o *Options) patience() time.Duration { return 3 * o.TTL }
