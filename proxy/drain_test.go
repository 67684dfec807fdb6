package proxy

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestDrain(t *testing.T) {
	const table = `
drain: {delay: 5s, window: 10s}
routes: [{path: /p, log: {name: p}, retry: 2s}]
`
	inWorld(t, table, func(w *world) {
		var clients []*connection
		for range 50 {
			clients = append(clients, w.connect("/p"))
		}
		if status, _ := w.adminGet("/readyz"); status != 200 {
			t.Errorf("before: /readyz answers %d, want 200", status)
		}
		w.stop()
		synctest.Wait()
		if status, _ := w.adminGet("/readyz"); status != 503 {
			t.Errorf("at once: /readyz answers %d, want 503", status)
		}
		if status, _ := w.adminGet("/healthz"); status != 200 {
			t.Errorf("/healthz answers %d while draining, want 200", status)
		}
		ended := func() (n int) {
			for _, c := range clients {
				if c.ended() {
					n++
				}
			}
			return n
		}
		after(5*time.Second - time.Millisecond)
		if got := ended(); got != 0 {
			t.Errorf("before the delay is over, %d clients have left", got)
		}
		w.publish("p", "still served")
		clients[0].wants("E-1 still served")
		after(2 * time.Second)
		turnedAway(t, w.connect("/p"), 2000, 4000) // a load balancer hasn't noticed
		after(3 * time.Second)
		if got := ended(); got < 10 || got > 40 {
			t.Errorf("half-way through the window, %d of 50 clients have left", got)
		}
		after(5*time.Second + time.Millisecond)
		if got := ended(); got != 50 {
			t.Errorf("after the window, %d of 50 clients have left", got)
		}
		different := map[int]bool{}
		for _, c := range clients {
			retries := retryLines(c.bytes())
			last := retries[len(retries)-1]
			if len(retries) != 2 || last < 2000 || last > 4000 {
				t.Fatalf("retry: got %v, want a last one of 2000 to 4000 (W6)", retries)
			}
			different[last] = true
		}
		if len(different) < 25 {
			t.Errorf("50 clients come back at %d different times; that is a stampede", len(different))
		}
	})
}

func TestReload(t *testing.T) {
	const before = `
routes:
  - {path: /same, log: {name: p}, retry: 1s}
  - {path: /changed, log: {name: r}}
  - {path: /gone, log: {name: p3}}
`
	const next = `
# comments and order don't count
routes:
  - path: /new
    log: {name: p4}
  - path: /changed
    log: {name: r}
    heartbeat: 5s
  - path: /same
    log: {name: p}
    retry: 1s
`
	inWorld(t, before, func(w *world) {
		same, changed, gone := w.connect("/same"), w.connect("/changed"), w.connect("/gone")
		defer same.drop()
		w.publish("p", "1")
		w.publish("r", "1")
		w.server.Reload(w.parse(next))
		w.publish("r", "2") // while the client is still on the old route
		after(6 * time.Second)
		if same.ended() {
			t.Error("a client of an unchanged route was sent away")
		}
		w.publish("p", "2")
		same.wants("E-1 1", "E-2 2")
		if !changed.ended() || !gone.ended() {
			t.Fatal("clients of a changed and of a removed route stay")
		}
		w.publish("r", "3")
		back := w.connect("/changed", "Last-Event-ID: "+changed.lastID())
		defer back.drop()
		back.wants("r.0.3 3")
		resp := w.get("/gone")
		resp.Body.Close()
		if resp.StatusCode != http.StatusNotFound {
			t.Errorf("a route that is gone: got status %d, want 404", resp.StatusCode)
		}
		w.connect("/new").drop()
		if got := w.upstream("p3").Running(); got != 0 {
			t.Errorf("sources of the removed route still running: %d", got)
		}
		for name, want := range map[string]string{
			`sidestream_disconnects_total{reason="reload",route="/changed"}`: "1",
			`sidestream_disconnects_total{reason="reload",route="/gone"}`:    "1",
			`sidestream_config_reloads_total{result="success"}`:              "1",
			`sidestream_clients{route="/same"}`:                              "1",
		} {
			if got := w.metric(name); got != want {
				t.Errorf("%s: got %s, want %s", name, got, want)
			}
		}
	})
}

func TestReadyz(t *testing.T) {
	inWorld(t, `routes: [{path: /p, log: {name: p}}, {path: /s, log: {name: s}}]`, func(w *world) {
		defer w.connect("/p").drop()
		_, body := w.adminGet("/readyz")
		want := `{"ready":true,"routes":[` +
			`{"route":"/p","adapter":"log","clients":1,"streams":1,"sources":{"fresh":1}},` +
			`{"route":"/s","adapter":"log","clients":0,"streams":0,"sources":{}}]}`
		if got := strings.TrimSpace(body); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	})
}
