package sse

import (
	"cmp"
	"errors"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"

	"github.com/rs/zerolog"

	"sidestream/adapters"
	"sidestream/adapters/httpclient"
	"sidestream/adapters/urltemplate"
)

// Adapter returns the adapter "sse".
//
// Its factories are closers: Close closes the connections that are idle.
func Adapter() adapters.Adapter {
	return adapters.New("sse", defaults, func(o Options, route adapters.Route) (adapters.Factory, error) {
		f, err := build(o, route)
		if err != nil {
			return nil, err
		}
		return f, nil
	})
}

func build(o Options, route adapters.Route) (*factory, error) {
	t, err := newTarget(&o, route)
	if err == nil {
		o.Client.UnixSocket = cmp.Or(o.Client.UnixSocket, t.Socket())
	}
	if err := errors.Join(o.check(route), err); err != nil {
		return nil, err
	}
	return &factory{options: &o, target: t, client: httpclient.New(o.Client)}, nil
}

// A factory is the adapter configured for one route.
type factory struct {
	options *Options
	target  *urltemplate.Template
	client  doer
}

// A doer is what makes requests: a [httpclient.Client].
type doer interface {
	Do(req *http.Request, forward http.Header, prepare func(*http.Request)) (*http.Response, error)
	Describe(req *http.Request, forward http.Header) http.Header
	Close()
}

// Capabilities implements [adapters.Factory].
func (f *factory) Capabilities() adapters.Capabilities {
	o := f.options
	can := adapters.Capabilities{
		Positions:  o.IDs != idsNumber,
		Replayable: o.IDs == idsReplay,
		WholeURL:   o.URL == "",
		Always:     o.Always,
	}
	for _, name := range o.Forward {
		can.Forward = append(can.Forward, http.CanonicalHeaderKey(name))
	}
	return can
}

// Open implements [adapters.Factory].
func (f *factory) Open(vars adapters.Vars, env adapters.Env) (adapters.Source, error) {
	u, err := f.target.Expand(vars)
	if err != nil {
		return nil, err
	}
	return &source{
		factory: f,
		url:     u,
		env:     env,
		log:     env.Log.Sample(&zerolog.BurstSampler{Burst: 5, Period: 10 * time.Second}),
		nonce:   strconv.FormatUint(rand.Uint64(), 36),
	}, nil
}

// Close closes idle connections. The factory's sources should have returned
// from Run.
func (f *factory) Close() error {
	f.client.Close()
	return nil
}
