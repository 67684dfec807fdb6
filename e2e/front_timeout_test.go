package e2e

import (
	"fmt"
	"testing"
)

// briefly are the proxies that end streams which are silent for too long,
// told that 5 s are too long.
func briefly() []frontSetup {
	return []frontSetup{
		{name: "nginx", kind: nginxFront(), tls: true, replace: []string{"proxy_read_timeout 60s;", "proxy_read_timeout 5s;"}},
		{name: "haproxy", kind: haproxyFront(), tls: true, replace: []string{"client  50s", "client 5s", "server  50s", "server 5s"}},
		{name: "caddy", kind: caddyFront(), tls: true, replace: []string{
			"header_up -Forwarded", "header_up -Forwarded\n\t\ttransport http {\n\t\t\tread_timeout 5s\n\t\t}",
		}},
		{name: "apache", kind: apacheFront(), tls: true, replace: []string{"ProxyTimeout 60", "ProxyTimeout 5"}},
		{name: "varnish minimal", kind: varnishFront("between_bytes_timeout=5")},
		{name: "varnish", kind: varnishFront("pipe_timeout=5")},
	}
}

// R3: heartbeats keep a stream open for which nothing else happens, and
// without them the proxy ends it.
func TestProxiesTimeOut(t *testing.T) {
	s := serve(t, `
routes:
  - {path: /beating, heartbeat: 1s, generate: {every: 1h, first: after_interval}}
  - {path: /silent, heartbeat: 0s, generate: {every: 1h, first: after_interval}}
`)
	type pair struct {
		name            string
		beating, silent *client
	}
	var pairs []pair
	for _, setup := range briefly() {
		f := startFront(t, setup, s.url)
		for _, protocol := range f.protocols() {
			p := pair{f.name + " with " + protocol, f.client(t, protocol, "/beating"), f.client(t, protocol, "/silent")}
			p.beating.start(t)
			p.silent.start(t)
			pairs = append(pairs, p)
		}
	}
	for _, p := range pairs {
		waitFor(t, 2*patience, p.name+" ending the silent stream", func() (any, bool) {
			conns := p.silent.conns()
			return p.silent.summary(), len(conns) > 0 && conns[0].status == 200 && !conns[0].ended.IsZero()
		})
		waitFor(t, 2*patience, p.name+" passing 12 heartbeats", func() (any, bool) {
			conns := p.beating.conns()
			if len(conns) == 0 {
				return "no connection", false
			}
			return fmt.Sprintf("%d on the first of %d connections", conns[0].comments, len(conns)), conns[0].comments >= 12
		})
		if got := len(p.beating.conns()); got != 1 {
			t.Errorf("%s: got %d connections, want 1 that stays open", p.name, got)
		}
	}
}
