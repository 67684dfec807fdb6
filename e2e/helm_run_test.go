package e2e

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"k8s.io/apimachinery/pkg/api/equality"

	"sidestream/e2e/chart"
	"sidestream/e2e/kube"
)

// places are the ports of a pod.
type places struct{ http, admin, app int }

func newPlaces(t *testing.T) places {
	t.Helper()
	return places{freePort(t), freePort(t), freePort(t)}
}

// A legacyRelease renders the example for pods that share this machine.
type legacyRelease struct {
	chart string   // where it is
	args  []string // of "helm template"
}

// render renders it for a pod, with the example's own routes and more.
func (r legacyRelease) render(t *testing.T, at places, more ...string) kube.Set {
	t.Helper()
	routes := append([]string{`{"path": "/api/orders", "poll": {"every": "100ms", "emit": "patch"}}`}, more...)
	args := append([]string{
		"--set", fmt.Sprintf("port=%d", at.app),
		"--set-json", fmt.Sprintf(`sidestream.ports={"http": %d, "admin": %d}`, at.http, at.admin),
		"--set-json", fmt.Sprintf(`sidestream.config.table={"upstream": "http://127.0.0.1:%d", "routes": [%s]}`, at.app, strings.Join(routes, ",")),
	}, r.args...)
	return rendered(t, "orders", r.chart, args...)
}

// rendered renders a chart.
func rendered(t *testing.T, release, path string, args ...string) kube.Set {
	t.Helper()
	set, err := kube.Decode(chart.Template(t, release, path, args...))
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// substituteApp is the application's container: it serves h at a port, and
// when it is told to end it finishes what it has begun.
func substituteApp(tb testing.TB, port int, h http.HandlerFunc) func() (stop func()) {
	tb.Helper()
	return func() (stop func()) {
		tb.Helper()
		ln, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			tb.Fatal(err)
		}
		server := &http.Server{Handler: h}
		var running sync.WaitGroup
		running.Go(func() { _ = server.Serve(ln) }) // ends with the server
		return sync.OnceFunc(func() {
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			if err := server.Shutdown(ctx); err != nil {
				_ = server.Close()
			}
			running.Wait()
		})
	}
}

// The chart of a legacy application with the sidecar, rendered and run: the
// probes succeed, the Service leads to the sidecar, what isn't a stream passes
// through. A change of the ConfigMap is taken over in place. While a pod is
// replaced, within the grace period that was rendered, no request fails, and
// each client is told to come back, does so at the other pod, and misses
// nothing.
func TestHelmLegacyApp(t *testing.T) {
	for _, c := range []struct {
		name string
		args []string
	}{
		{"native sidecar", []string{"--kube-version", "1.36.3"}},
		// Its hook is a command, and two drains at a time last as long as one.
		{"container before 1.29", []string{"--kube-version", "1.28.0", "--set", "sidestream.drain.delay=2s", "--set", "sidestream.drain.window=3s"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			const clients = 20
			release := legacyRelease{filepath.Join(chart.Tree(t), "examples", "legacy-app"), c.args}
			orders := newLedger(t, 10, plainNumbers())
			start := func(at places, set kube.Set) *pod {
				t.Helper()
				return startPod(t, set, "orders", map[string]func() func(){"app": substituteApp(t, at.app, orders.serve)})
			}
			at := newPlaces(t)
			set := release.render(t, at)
			first := start(at, set)
			service := startService(t, "orders")
			service.add(t, first)
			all, _ := gather(t, service.url+"/api/orders", clients)
			all.await(t, "the document", func(c *client) bool { return c.has("snapshot") })
			stopChanging := orders.keepChanging(t, 50*time.Millisecond)
			stopAsking := keepAsking(t, service.url+"/api/orders")

			changed := release.render(t, at, `{"path": "/events/clock", "generate": {"every": "100ms", "data": "tick"}}`)
			if !equality.Semantic.DeepEqual(podTemplate(t, set, "orders"), podTemplate(t, changed, "orders")) {
				t.Error("got another pod by a change of the routes, want the same one, which goes on")
			}
			first.update(changed)
			first.awaitReload(t, 1)
			clock := follow(t, service.url+"/events/clock")
			clock.await(t, 1)
			for _, c := range all {
				if got := len(c.conns()); got != 1 {
					t.Fatalf("got %d connections to a route that hasn't changed, want 1", got)
				}
			}

			at = newPlaces(t)
			second := start(at, release.render(t, at, `{"path": "/events/clock", "generate": {"every": "100ms", "data": "tick"}}`))
			service.add(t, second)
			first.leave(t)
			all.await(t, "a connection to the other pod", func(c *client) bool { return len(c.conns()) >= 2 && connected(c) })
			stopAsking()
			stopChanging()
			last := orders.now()
			replayed := newMirror(orders, "patch")
			all.await(t, "the last document", func(c *client) bool {
				got, err := replayed.replay(c.events())
				if err != nil {
					t.Fatal(err)
				}
				return got == last
			})
			for _, c := range all {
				told := c.conns()[0]
				if told.retry < 3*time.Second || told.retry > 6*time.Second {
					t.Errorf("got a last retry of %v, want the route's 3s to twice as much", told.retry)
				}
			}
		})
	}
}

// The gateway, rendered and run with a source whose events can be told apart:
// a rollout of both pods loses none, repeats none, and keeps the order. A
// password comes from a Secret.
func TestHelmGateway(t *testing.T) {
	const clients = 20
	server := startNATS(t, `authorization {user: gateway, password: "s3cret"}`)
	_, js := connectNATS(t, strings.Replace(server.url, "nats://", "nats://gateway:s3cret@", 1))
	if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "ORDERS", Subjects: []string{"orders"}}); err != nil {
		t.Fatal(err)
	}
	secret, err := kube.Decode([]byte(`{apiVersion: v1, kind: Secret, metadata: {name: nats}, stringData: {password: s3cret, user: gateway}}`))
	if err != nil {
		t.Fatal(err)
	}
	gateway := filepath.Join(chart.Tree(t), "sidestream")
	render := func(at places, more ...string) kube.Set {
		t.Helper()
		routes := append([]string{`{"path": "/orders", "retry": "500ms", "nats": {"stream": "ORDERS", "start": "all"}}`}, more...)
		set := rendered(t, "gateway", gateway,
			"--set-json", fmt.Sprintf(`ports={"http": %d, "admin": %d}`, at.http, at.admin),
			"--set-json", `secrets=[{"existingSecret": "nats", "env": {"NATS_PASSWORD": "password"}, "mountPath": "/run/secrets/nats"}]`,
			"--set-json", fmt.Sprintf(`config.table={"defaults": {"nats": {"urls": [%q], "auth": {"user": "${file:/run/secrets/nats/user}", "password": "${NATS_PASSWORD}"}}}, "routes": [%s]}`,
				server.url, strings.Join(routes, ",")),
			"--set", "drain.delay=2s", "--set", "drain.window=2s")
		return append(set, secret...)
	}
	at := newPlaces(t)
	set := render(at)
	service := startService(t, "gateway-sidestream")
	start := func(set kube.Set) *pod {
		t.Helper()
		p := startPod(t, set, "gateway-sidestream", nil)
		service.add(t, p)
		return p
	}
	old := []*pod{start(set), start(render(newPlaces(t)))}
	all, _ := gather(t, service.url+"/orders", clients)
	stopPublishing := keepPublishing(t, js, "orders")
	all.await(t, "an event", func(c *client) bool { return len(c.messages()) > 0 })

	changed := render(at, `{"path": "/events/clock", "generate": {"every": "100ms", "data": "tick"}}`)
	if !equality.Semantic.DeepEqual(podTemplate(t, set, "gateway-sidestream"), podTemplate(t, changed, "gateway-sidestream")) {
		t.Error("got another pod by a change of the routes, want the same one, which goes on")
	}
	old[0].update(changed)
	old[0].awaitReload(t, 1)
	for _, c := range all {
		if got := len(c.conns()); got != 1 {
			t.Fatalf("got %d connections to a route that hasn't changed, want 1", got)
		}
	}
	for _, p := range old {
		start(render(newPlaces(t)))
		p.leave(t)
	}
	all.await(t, "a second connection", func(c *client) bool { return len(c.conns()) >= 2 && connected(c) })
	n := stopPublishing()
	var want []string
	for i := range n {
		want = append(want, strconv.Itoa(i+1))
	}
	all.await(t, "every event", func(c *client) bool { return len(c.messages()) >= n })
	for _, c := range all {
		if got := c.messages(); !slices.Equal(got, want) {
			t.Errorf("got %d messages %.200v…, want 1 to %d, in order and each once", len(got), got, n)
		}
	}
}

// keepAsking asks for a document again and again, each time by a connection of
// its own, until stop is called. Every answer has to be 200.
func keepAsking(t *testing.T, url string) (stop func()) {
	t.Helper()
	end := make(chan struct{})
	answers := map[string]int{}
	var asking sync.WaitGroup
	asking.Go(func() {
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			code, _, err := fetch(url)
			answers[fmt.Sprint(code, " ", err)]++
			select {
			case <-tick.C:
			case <-end:
				return
			}
		}
	})
	stop = sync.OnceFunc(func() {
		close(end)
		asking.Wait()
		if len(answers) != 1 || answers["200 <nil>"] == 0 {
			t.Errorf("got answers %v, want 200 each time", answers)
		}
	})
	t.Cleanup(stop)
	return stop
}

// keepPublishing publishes 1, 2, 3 and so on until stop is called, which
// returns the last number.
func keepPublishing(t *testing.T, js jetstream.JetStream, subject string) (stop func() int) {
	t.Helper()
	end := make(chan struct{})
	n := 0
	var publishing sync.WaitGroup
	publishing.Go(func() {
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
			case <-end:
				return
			}
			if _, err := js.Publish(context.Background(), subject, []byte(strconv.Itoa(n+1))); err != nil {
				t.Errorf("publish: %v", err)
				return
			}
			n++
		}
	})
	stop = sync.OnceValue(func() int {
		close(end)
		publishing.Wait()
		return n
	})
	t.Cleanup(func() { stop() })
	return stop
}
