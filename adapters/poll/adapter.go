package poll

import (
	"errors"
	"net"
	"net/http"
	"time"

	"sidestream/adapters"
)

// Bounds of the connections that the sources of one factory share.
const (
	dialTimeout   = 10 * time.Second
	idleTimeout   = 90 * time.Second
	maxIdle       = 100
	maxHeaderSize = 64 << 10
)

// Adapter returns the adapter "poll".
//
// Its factories are closers: Close closes the connections that are idle. A
// factory's sources share its connections and nothing else.
func Adapter() adapters.Adapter {
	return adapters.New("poll", defaults, build)
}

func build(o Options, route adapters.Route) (adapters.Factory, error) {
	t, err := newTemplate(o.URL, route)
	if err := errors.Join(o.check(), err); err != nil {
		return nil, err
	}
	return &factory{options: o, template: t, transport: newTransport()}, nil
}

// newTransport returns a transport that decompresses gzip and, as a poll of
// many keys goes to one host, keeps more than net/http's two connections to
// it.
func newTransport() *http.Transport {
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            (&net.Dialer{Timeout: dialTimeout}).DialContext,
		ForceAttemptHTTP2:      true,
		TLSHandshakeTimeout:    dialTimeout,
		IdleConnTimeout:        idleTimeout,
		MaxIdleConns:           maxIdle,
		MaxIdleConnsPerHost:    maxIdle,
		MaxResponseHeaderBytes: maxHeaderSize,
	}
}

// A factory is the adapter configured for one route.
type factory struct {
	options   Options
	template  *template
	transport *http.Transport
}

// Capabilities implements [adapters.Factory].
func (f *factory) Capabilities() adapters.Capabilities {
	return adapters.Capabilities{
		Positions: true,
		Stateful:  true,
		WholeURL:  f.options.URL == "",
	}
}

// Open implements [adapters.Factory].
func (f *factory) Open(vars adapters.Vars, env adapters.Env) (adapters.Source, error) {
	target, err := f.template.expand(vars)
	if err != nil {
		return nil, err
	}
	return newSource(f.options, target, f.transport, env), nil
}

// Close closes idle connections. The factory's sources should have returned
// from Run; what they use is closed once it is idle for a while.
func (f *factory) Close() error {
	f.transport.CloseIdleConnections()
	return nil
}
