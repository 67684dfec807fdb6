package kafka

import (
	"errors"
	"sync"
	"sync/atomic"

	"sidestream/adapters"
	"sidestream/adapters/kafka/registry"
	"sidestream/adapters/shared"
)

// Adapter returns the adapter "kafka".
//
// Its factories are closers. Those with equal connection options share what is
// known of the cluster and the connections that are idle, which are closed with
// the last of them. A program has one adapter, therefore.
func Adapter() adapters.Adapter {
	clusters := new(shared.Pool[*cluster])
	return adapters.New("kafka", defaults, func(o Options, route adapters.Route) (adapters.Factory, error) {
		return build(&o, route, clusters)
	})
}

func build(o *Options, route adapters.Route, clusters *shared.Pool[*cluster]) (adapters.Factory, error) {
	f := &factory{options: o, clusters: clusters, places: newPlaces(o.KeptPositions)}
	var errs [3]error
	errs[0] = o.check(route)
	f.topics, errs[1] = parseTopics(o.Topics, route)
	f.key, errs[2] = parseRecordKey(o.RecordKey, route)
	if err := errors.Join(errs[:]...); err != nil {
		return nil, err
	}
	o.settle(route)
	if o.SchemaRegistry.URL != "" {
		f.registry = registry.New("schema_registry", o.SchemaRegistry)
	}
	return f, nil
}

// A factory is the adapter configured for one route.
type factory struct {
	options  *Options
	topics   topics
	key      *recordKey // nil: records of all keys
	clusters *shared.Pool[*cluster]
	places   *places
	registry *registry.Registry // nil: there is none

	mu     sync.Mutex
	joined *cluster // guarded by mu; nil before the first use
	leave  func()   // guarded by mu; gives joined up
	closed bool     // guarded by mu
}

// Capabilities implements [adapters.Factory].
func (f *factory) Capabilities() adapters.Capabilities {
	return adapters.Capabilities{
		Positions:   true,
		Replayable:  true,
		Partitioned: true,
		Keyed:       true,
		Seekable:    true,
		Stateful:    f.options.Compacted,
		Selects:     f.options.Compacted, // compaction has left out what was replaced, and what was deleted long ago
		Compare:     f.places.compare,
		Before:      f.places.before,
	}
}

// Open implements [adapters.Factory].
func (f *factory) Open(vars adapters.Vars, env adapters.Env) (adapters.Source, error) {
	names, err := f.topics.expand(vars)
	if err != nil {
		return nil, err
	}
	s := &source{factory: f, topics: names, env: env, seen: make([]atomic.Bool, len(names))}
	if f.key != nil {
		if s.key, err = f.key.expand(vars); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// cluster returns what the factory shares with its like.
func (f *factory) cluster() (*cluster, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return nil, errFactoryClosed
	}
	if f.joined == nil {
		f.joined, f.leave = f.clusters.Join(
			func(c *cluster) bool { return c.fits(f.options) },
			func() *cluster { return newCluster(f.options) },
		)
	}
	return f.joined, nil
}

var errFactoryClosed = errors.New("the route's connections were closed")

// Close closes the connections that are idle if no other factory has a part in
// them. The factory's sources should have returned from Run.
func (f *factory) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.joined != nil {
		f.leave()
		f.joined = nil
	}
	if f.registry != nil {
		f.registry.Close()
	}
	f.closed = true
	return nil
}
