package e2e

import "testing"

// C8, R2: behind nginx with nothing configured but where to go, which buffers
// and speaks HTTP/1.0 to us, each event arrives at once and a gone client is
// noticed.
func TestBehindNginx(t *testing.T) {
	app := startNginx(t)
	app.put(t, "/doc.json", `{"n":1}`)
	s := serve(t, `
upstream: `+app.url+`
routes:
  - path: /doc.json
    heartbeat: 200ms
    poll: {every: 50ms}
`)
	front := startNginxInFront(t, s.url)
	c := newClient(t, front.url+"/doc.json")
	stop := c.start(t)
	c.awaitMessage(t, `{"n":1}`)
	app.put(t, "/doc.json", `{"n":2}`)
	c.awaitMessage(t, `{"n":2}`)
	if got := len(c.conns()); got != 1 {
		t.Errorf("got %d connections, want 1 that stays open", got)
	}
	s.awaitClients(t, "/doc.json", 1)
	stop()
	s.awaitClients(t, "/doc.json", 0)
}
