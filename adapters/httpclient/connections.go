package httpclient

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	"golang.org/x/net/http/httpproxy"

	"sidestream/adapters/tlsfiles"
)

// Bounds of connections.
const (
	dialTimeout      = 10 * time.Second
	handshakeTimeout = 10 * time.Second
	idleTimeout      = 90 * time.Second
	maxHeaderSize    = 64 << 10
)

// connections are an [http.RoundTripper] whose TLS files may change: all
// requests from then on go over new connections. It is safe for concurrent
// use.
type connections struct {
	options Options
	proxy   func(*http.Request) (*url.URL, error) // nil: none
	tls     *tlsfiles.Source

	mu        sync.Mutex
	transport *http.Transport // guarded by mu; nil before the first
	config    *tls.Config     // guarded by mu; what transport was made of, nil before the first
}

func newConnections(o Options) *connections {
	return &connections{options: o, proxy: proxyFunc(o), tls: tlsfiles.New("tls", o.TLS)}
}

func proxyFunc(o Options) func(*http.Request) (*url.URL, error) {
	switch {
	case o.Proxy.off, o.UnixSocket != "":
		return nil
	case o.Proxy.url != nil:
		return http.ProxyURL(o.Proxy.url)
	default:
		choose := httpproxy.FromEnvironment().ProxyFunc()
		return func(r *http.Request) (*url.URL, error) { return choose(r.URL) }
	}
}

// RoundTrip implements [http.RoundTripper].
func (c *connections) RoundTrip(req *http.Request) (*http.Response, error) {
	t, err := c.current()
	if err != nil {
		closeBody(req)
		return nil, err
	}
	return t.RoundTrip(req)
}

// current returns the transport for the TLS files as they are. Its error is a
// transient one, with a reason.
func (c *connections) current() (*http.Transport, error) {
	c.mu.Lock() // before the files are read, so that nobody goes back to older ones
	defer c.mu.Unlock()
	config, err := c.tls.Config()
	if err != nil {
		return nil, err
	}
	if config != c.config {
		c.closeIdle()
		c.transport, c.config = c.newTransport(config), config
	}
	return c.transport, nil
}

func (c *connections) newTransport(config *tls.Config) *http.Transport {
	dialer := &net.Dialer{Timeout: dialTimeout}
	dial := dialer.DialContext
	if socket := c.options.UnixSocket; socket != "" {
		dial = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, "unix", socket)
		}
	}
	return &http.Transport{
		Proxy:                  c.proxy,
		OnProxyConnectResponse: proxyAnswered,
		DialContext:            dial,
		TLSClientConfig:        config.Clone(), // net/http adds the protocols of ALPN to it
		ForceAttemptHTTP2:      true,
		TLSHandshakeTimeout:    handshakeTimeout,
		IdleConnTimeout:        idleTimeout,
		MaxIdleConns:           c.options.MaxConnections,
		MaxIdleConnsPerHost:    c.options.MaxConnections,
		MaxConnsPerHost:        c.options.MaxConnections,
		MaxResponseHeaderBytes: maxHeaderSize,
		DisableCompression:     true, // callers know which content codings they take
	}
}

// proxyAnswered refuses what net/http would refuse too, but with the proxy's
// own words for an error.
func proxyAnswered(_ context.Context, _ *url.URL, _ *http.Request, resp *http.Response) error {
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the proxy answered %d", resp.StatusCode)
	}
	return nil
}

// close closes idle connections.
func (c *connections) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closeIdle()
}

// closeIdle closes idle connections; busy ones are closed when they become
// idle, unless there are new requests. The caller holds c.mu.
func (c *connections) closeIdle() {
	if c.transport != nil {
		c.transport.CloseIdleConnections()
	}
}
