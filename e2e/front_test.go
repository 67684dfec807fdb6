package e2e

import (
	"os"
	"testing"
)

// behind says what is different behind a proxy, as far as the document says
// so.
type behind struct {
	frontSetup
	compresses bool     // events, too
	webSocket  bool     // passes
	caches     bool     // what the application allows
	streams    int      // that an HTTP/2 connection carries at a time; 0: all that the test has
	forwards   []string // which X-Forwarded headers it sends
}

// fronts are the proxies of the document.
func fronts() []behind {
	all := []string{"For", "Host", "Proto"}
	fronts := []behind{
		{frontSetup: frontSetup{name: "nginx minimal", kind: nginxFront()}},
		{frontSetup: frontSetup{name: "nginx", kind: nginxFront(), tls: true}, compresses: true, webSocket: true, caches: true, forwards: all},
		{frontSetup: frontSetup{name: "haproxy minimal", kind: haproxyFront()}, webSocket: true},
		{frontSetup: frontSetup{name: "haproxy", kind: haproxyFront(), tls: true}, webSocket: true, forwards: all},
		{frontSetup: frontSetup{name: "caddy minimal", kind: caddyFront()}, webSocket: true, forwards: all},
		{frontSetup: frontSetup{name: "caddy", kind: caddyFront(), tls: true}, webSocket: true, forwards: all},
		{frontSetup: frontSetup{name: "apache minimal", kind: apacheFront()}, forwards: []string{"For", "Host"}},
		{frontSetup: frontSetup{name: "apache", kind: apacheFront(), tls: true}, compresses: true, webSocket: true, streams: 6, forwards: all},
		{frontSetup: frontSetup{name: "varnish minimal", kind: varnishFront()}, caches: true, forwards: []string{"For"}},
		{frontSetup: frontSetup{name: "varnish", kind: varnishFront()}, webSocket: true, caches: true, forwards: []string{"For"}},
	}
	if traefik := os.Getenv(traefikVar); traefik != "" {
		fronts = append(fronts, behind{frontSetup: frontSetup{name: "traefik", kind: traefikFront(traefik), tls: true}, compresses: true, webSocket: true, forwards: all})
	}
	return fronts
}

// R13: behind each of these proxies, with the configuration that the document
// gives for it.
func TestBehindProxies(t *testing.T) {
	for _, b := range fronts() {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			p := newPassage(t, b)
			t.Run("cache", p.cache)
			for _, protocol := range p.front.protocols() {
				t.Run(protocol, func(t *testing.T) {
					p := lane{p, protocol}
					t.Run("at once", p.atOnce)
					t.Run("large", p.large)
					t.Run("ended", p.ended)
					t.Run("burst", p.burst)
					t.Run("resume", p.resume)
					t.Run("gone", p.gone)
					t.Run("many", p.many)
					t.Run("restart", p.restart)
				})
			}
			t.Run("forwarded", p.forwarded)
			t.Run("forged", p.forged)
			t.Run("WebSocket", p.webSockets)
		})
	}
}
