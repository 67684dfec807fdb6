package e2e

import (
	"fmt"
	"testing"
)

// What the document warns of does harm, and the line that it gives helps.
func TestProxiesPitfalls(t *testing.T) {
	const (
		flows   = "flows"           // events arrive, on one connection
		nothing = "nothing arrives" // although the connection stays
		cut     = "is cut"          // although events arrive
	)
	server, backend := "location / {", ".port = \"8080\";\n}\n"
	ignoring := server + "\nproxy_ignore_headers X-Accel-Buffering;\n"
	packing := backend + "sub vcl_backend_response {\n\tset beresp.do_gzip = true;\n}\n"
	type pitfall struct {
		setup frontSetup
		want  string
	}
	pitfalls := []pitfall{
		{frontSetup{name: "nginx minimal", kind: nginxFront(), replace: []string{server, ignoring + snippet(t, "nginx unbuffered")}}, flows},
		{frontSetup{name: "varnish minimal", kind: varnishFront(), replace: []string{backend, packing}}, nothing},
		{frontSetup{name: "varnish", kind: varnishFront(), replace: []string{backend, packing}}, flows},
		{frontSetup{name: "varnish minimal", kind: varnishFront("send_timeout=2")}, cut},
		{frontSetup{name: "varnish", kind: varnishFront("send_timeout=2")}, flows},
		{frontSetup{name: "nginx minimal", kind: nginxFront(), replace: []string{server, ignoring}}, nothing},
	}
	s := serve(t, `
routes:
  - {path: /events, retry: 100ms, generate: {every: 200ms, data: x}}
`)
	direct := follow(t, s.url+"/events")
	clients := make([]*client, len(pitfalls))
	for i, p := range pitfalls {
		clients[i] = startFront(t, p.setup, s.url).client(t, "HTTP/1.1", "/events")
		clients[i].start(t)
	}
	direct.await(t, len(direct.events())+25) // 5 s, and too little to fill a buffer

	for i, p := range pitfalls {
		c := clients[i]
		what := fmt.Sprintf("%s with %q", p.setup.name, p.setup.replace)
		switch p.want {
		case nothing:
			if got := c.events(); len(got) != 0 {
				t.Errorf("%s: got %s, want no event", what, c.summary())
			}
		case cut:
			wait(t, what+" ending the stream", func() (any, bool) {
				conns := c.conns()
				return c.summary(), len(conns) > 1 && !conns[0].ended.IsZero()
			})
		case flows:
			c.await(t, 10)
			if got := len(c.conns()); got != 1 {
				t.Errorf("%s: got %s, want 1 connection that stays open", what, c.summary())
			}
		}
	}
}
