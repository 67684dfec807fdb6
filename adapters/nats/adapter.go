package nats

import (
	"errors"
	"reflect"
	"sync"

	"sidestream/adapters"
	"sidestream/adapters/shared"
)

// Adapter returns the adapter "nats".
//
// Its factories are closers. Those with equal connection options share one
// connection, which is made when a source of theirs is first run and closed
// with the last of them. A program has one adapter, therefore.
func Adapter() adapters.Adapter {
	links := new(shared.Pool[*link])
	return adapters.New("nats", defaults, func(o Options, route adapters.Route) (adapters.Factory, error) {
		return build(&o, route, links)
	})
}

func build(o *Options, route adapters.Route, links *shared.Pool[*link]) (adapters.Factory, error) {
	f := &factory{options: o, links: links}
	var errs [3]error
	errs[0] = o.check(route)
	f.subjects, errs[1] = parseTemplates("subject", o.Subject, route, subjectRules())
	if o.Bucket != "" {
		f.keys, errs[2] = parseTemplates("keys", o.Keys, route, keyRules())
	}
	if err := errors.Join(errs[:]...); err != nil {
		return nil, err
	}
	o.settle(route)
	return f, nil
}

// A factory is the adapter configured for one route.
type factory struct {
	options  *Options
	subjects templates // of Options.Subject
	keys     templates // of Options.Keys, if there is a bucket
	links    *shared.Pool[*link]

	mu     sync.Mutex
	joined *link  // guarded by mu; nil before the first use
	leave  func() // guarded by mu; gives joined up
	closed bool   // guarded by mu
}

// Capabilities implements [adapters.Factory].
func (f *factory) Capabilities() adapters.Capabilities {
	switch f.options.kind() {
	case kindStream:
		return adapters.Capabilities{
			Positions: true, Replayable: true, Keyed: true, Seekable: true,
			Selects: f.options.Start.word == startLastPerSubject,
			Compare: comparePositions,
		}
	case kindBucket:
		return adapters.Capabilities{
			Positions: true, Replayable: true, Keyed: true,
			Stateful: !f.options.UpdatesOnly, // changes alone are none
			Selects:  !f.options.UpdatesOnly && !f.options.History,
			Compare:  comparePositions,
		}
	default:
		return adapters.Capabilities{Keyed: true}
	}
}

// Open implements [adapters.Factory].
func (f *factory) Open(vars adapters.Vars, env adapters.Env) (adapters.Source, error) {
	subjects, err := f.subjects.expand(vars)
	if err != nil {
		return nil, err
	}
	keys, err := f.keys.expand(vars)
	if err != nil {
		return nil, err
	}
	switch f.options.kind() {
	case kindStream:
		return newStreamSource(f, subjects, env), nil
	case kindBucket:
		return newBucketSource(f, keys, env), nil
	default:
		return newCoreSource(f, subjects, env), nil
	}
}

// link returns the connection that the factory shares with its like.
func (f *factory) link() (*link, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return nil, errFactoryClosed
	}
	if f.joined == nil {
		f.joined, f.leave = f.links.Join(
			func(l *link) bool { return reflect.DeepEqual(l.options, &f.options.Connection) },
			func() *link { return newLink(&f.options.Connection) },
		)
	}
	return f.joined, nil
}

var errFactoryClosed = errors.New("the route's connection was closed")

// Close closes the connection if no other factory has a part in it, and waits
// until nothing of it is left. The factory's sources should have returned from
// Run.
func (f *factory) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.joined != nil {
		f.leave()
		f.joined = nil
	}
	f.closed = true
	return nil
}
