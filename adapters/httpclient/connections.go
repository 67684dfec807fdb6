package httpclient

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	"golang.org/x/net/http/httpproxy"

	"sidestream/adapters"
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
	files   [3]*file                              // CA, certificate and key; nil if not configured

	mu        sync.Mutex
	tried     *[3][]byte      // guarded by mu; the contents last looked at
	err       error           // guarded by mu; what was wrong with them, if transport is nil
	transport *http.Transport // guarded by mu; made of the last good contents
}

func newConnections(o Options) *connections {
	return &connections{
		options: o,
		proxy:   proxyFunc(o),
		files: [...]*file{
			newFile("tls.ca", o.TLS.CA, maxPEM),
			newFile("tls.cert", o.TLS.Cert, maxPEM),
			newFile("tls.key", o.TLS.Key, maxPEM),
		},
	}
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
		return nil, adapters.Transient(reasonTLS, err)
	}
	return t.RoundTrip(req)
}

// current returns the transport for the TLS files as they are.
func (c *connections) current() (*http.Transport, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var pem [3][]byte
	for i, f := range c.files {
		if f == nil {
			continue
		}
		var err error
		if pem[i], err = f.content(); err != nil {
			return nil, err
		}
	}
	if c.tried != nil && same(*c.tried, pem) {
		return c.transport, c.err
	}
	c.tried = &pem
	config, err := c.tlsConfig(pem)
	switch {
	case err == nil:
		c.closeIdle()
		c.transport, c.err = c.newTransport(config), nil
	case c.transport == nil:
		c.err = err
	}
	return c.transport, c.err
}

func same(a, b [3][]byte) bool {
	for i := range a {
		if !bytes.Equal(a[i], b[i]) {
			return false
		}
	}
	return true
}

func (c *connections) tlsConfig(pem [3][]byte) (*tls.Config, error) {
	o := c.options.TLS
	config := &tls.Config{
		MinVersion:         tls.VersionTLS12,
		ServerName:         o.ServerName,
		InsecureSkipVerify: o.InsecureSkipVerify,
	}
	if o.MinVersion == version13 {
		config.MinVersion = tls.VersionTLS13
	}
	if o.CA != "" {
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem[0]) {
			return nil, fmt.Errorf("tls.ca: %s holds no certificate in PEM form", o.CA)
		}
	}
	if o.Cert != "" {
		pair, err := tls.X509KeyPair(pem[1], pem[2])
		if err != nil {
			return nil, fmt.Errorf("tls.cert: %s, tls.key: %s: %w", o.Cert, o.Key, err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
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
		TLSClientConfig:        config,
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
