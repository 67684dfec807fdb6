package registry

import (
	"context"
	"errors"
	"sync"
	"time"
)

// A cache holds the decoders of schemas, and what prevents others from having
// one. Each is loaded by one caller, for whom others wait that want the same.
// It is safe for concurrent use, and has no goroutines.
type cache struct {
	load func(context.Context, schemaID) (decoder, error)

	notFound time.Duration // how long a PayloadError is remembered
	retry    time.Duration // and how long another one

	mu sync.Mutex // guards all below
	// Failures are apart, so that ids which don't exist don't push schemas
	// out that do.
	decoders *lru[schemaID, *outcome]
	failures *lru[schemaID, *outcome]
	loading  map[schemaID]chan struct{} // closed when it was loaded, or wasn't
}

// An outcome is what came of loading a schema: a decoder, or an error that
// holds until a time.
type outcome struct {
	decoder decoder
	err     error
	until   time.Time
}

func newCache(o *Options, load func(context.Context, schemaID) (decoder, error)) *cache {
	return &cache{
		load:     load,
		notFound: time.Duration(o.NotFound),
		retry:    time.Duration(o.Retry),
		decoders: newLRU[schemaID, *outcome](o.Schemas),
		failures: newLRU[schemaID, *outcome](o.Schemas),
		loading:  map[schemaID]chan struct{}{},
	}
}

// get returns the decoder of a schema, and loads it if need be. A caller whose
// context ends leaves; if it was loading, another one of those who wait does.
func (c *cache) get(ctx context.Context, id schemaID) (decoder, error) {
	for {
		known, wait := c.look(id)
		if known != nil {
			return known.decoder, known.err
		}
		if wait == nil {
			return c.fill(ctx, id)
		}
		select {
		case <-wait:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// look returns what is known of a schema, or what to wait for; neither, if the
// caller is to fill it in.
func (c *cache) look(id schemaID) (known *outcome, wait <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if o, ok := c.decoders.get(id); ok {
		return o, nil
	}
	if o, ok := c.failures.get(id); ok {
		if time.Now().Before(o.until) {
			return o, nil
		}
		c.failures.remove(id)
	}
	if wait, ok := c.loading[id]; ok {
		return nil, wait
	}
	c.loading[id] = make(chan struct{})
	return nil, nil
}

func (c *cache) fill(ctx context.Context, id schemaID) (d decoder, err error) {
	err = errUnfinished // so that nobody waits for ever should load panic
	defer func() { c.done(ctx, id, d, err) }()
	d, err = c.load(ctx, id)
	return d, err
}

var errUnfinished = errors.New("loading the schema didn't come to an end")

// done remembers the outcome of loading a schema.
func (c *cache) done(ctx context.Context, id schemaID, d decoder, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	close(c.loading[id])
	delete(c.loading, id)

	var bad *PayloadError
	switch {
	case err == nil:
		c.decoders.put(id, &outcome{decoder: d})
	case errors.As(err, &bad):
		c.failures.put(id, &outcome{err: err, until: time.Now().Add(c.notFound)})
	case ctx.Err() == nil: // or else it is the caller's failure, and nobody else's
		c.failures.put(id, &outcome{err: err, until: time.Now().Add(c.retry)})
	}
}
