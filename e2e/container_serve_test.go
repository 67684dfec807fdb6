package e2e

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// The image serves streams, follows changes of its table, and leaves in peace.
func (i *imageTest) serves(t *testing.T) {
	const table = `
drain: {window: 100ms, timeout: 1s}
defaults: {retry: 50ms}
routes:
  - {path: /a, generate: {every: 50ms, data: "{{.N}}"}}
`
	c := i.serve(t, table)
	a := follow(t, c.url+"/a")
	a.await(t, 3)

	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", c.state(t).Pid))
	if err != nil {
		t.Fatal(err)
	}
	user := strconv.Itoa(imageUser)
	for name, want := range map[string]string{
		"Uid":        strings.Join([]string{user, user, user, user}, "\t"),
		"Gid":        strings.Join([]string{user, user, user, user}, "\t"),
		"CapBnd":     "0000000000000000",
		"CapEff":     "0000000000000000",
		"NoNewPrivs": "1",
	} {
		if line := name + ":\t" + want + "\n"; !strings.Contains(string(status), line) {
			t.Errorf("got a process with\n%swant %s", status, line)
		}
	}

	// A probe of an orchestrator's.
	i.docker(t, "exec", c.id, "/sidestream", "healthcheck", "--ready")

	replaceFile(t, c.config, table+`  - {path: /b, generate: {every: 50ms, data: "new"}}`+"\n")
	wait(t, "the new route", func() (any, bool) {
		b := newClient(t, c.url+"/b")
		stop := b.start(t)
		defer stop()
		wait(t, "an answer", func() (any, bool) { return "none", b.latest().status != 0 })
		return b.latest().status, b.latest().status == http.StatusOK
	})
	if got := len(a.conns()); got != 1 {
		t.Errorf("got %d connections of the client of a route that stays the same, want 1", got)
	}

	if got := c.stop(t); got != 0 {
		t.Errorf("got exit code %d after SIGTERM, want 0", got)
	}
	wait(t, "a connection that was ended", func() (any, bool) { return a.conns(), !a.conns()[0].ended.IsZero() })
	if got := a.conns()[0].retry; got < 50_000_000 {
		t.Errorf("got a last retry of %v, want one of the route's 50ms or more", got)
	}
}

// The demonstration needs no table.
func (i *imageTest) demonstrates(t *testing.T) {
	listen := fmt.Sprintf("127.0.0.1:%d", freePort(t))
	c := &container{d: i.daemon, url: "http://" + listen}
	c.run(t, slices.Concat([]string{"--health-interval", "1s", "--env", "SIDESTREAM_ADMIN=" + fmt.Sprintf("127.0.0.1:%d", freePort(t))},
		restricted, []string{i.name, "demo", "--listen", listen})...)
	c.awaitHealth(t, "healthy")
	follow(t, c.url+"/api/orders").await(t, 1)
}

// An embedded history is on the volume, not in the container: another one has
// it, and clients go on.
func (i *imageTest) keepsHistory(t *testing.T) {
	const table = "drain: {window: 100ms, timeout: 1s}\ndefaults: {retry: 50ms}\nroutes:"
	volume := "history:/var/lib/sidestream"
	one := i.serve(t, table+hookRoute("events: 1000"), "--volume", volume)
	sender := newHookSender(t, 1)
	c := follow(t, one.url+hookEvents)
	c.await(t, 1) // stream.live
	for n := range 3 {
		sender.mustSend(t, one.url, fmt.Sprint("container-", n), strconv.Itoa(n))
	}
	heard := c.awaitHeard(t, 3)
	first := c.events()[1].ID
	if got := one.stop(t); got != 0 {
		t.Errorf("got exit code %d, want 0", got)
	}

	two := i.serve(t, table+hookRoute("events: 1000"), "--volume", volume)
	late := follow(t, two.url+hookEvents, first)
	if got, want := late.awaitHeard(t, 2), heard[1:]; !slices.Equal(got, want) || late.has("stream.gap") {
		t.Errorf("got %v after the first, want %q", late.events(), want)
	}
}

// A server that can't be asked is found unhealthy, and the reason is in the
// container's state.
func (i *imageTest) unhealthy(t *testing.T) {
	c := i.start(t, "routes: [{path: /a, generate: {}}]", "off", "--health-retries", "1")
	c.awaitHealth(t, "unhealthy")
	if log := c.state(t).Health.Log; len(log) == 0 || !strings.Contains(log[0].Output, "the admin listener is off") {
		t.Errorf("got %+v, want the reason", log)
	}
}

// Whatever is wrong is said in words, with an exit code that isn't 0.
func (i *imageTest) refuses(t *testing.T) {
	run := func(args ...string) (string, int) {
		t.Helper()
		return i.once(t, slices.Concat(restricted, args)...)
	}
	if got, code := run(i.name); code != 1 || !strings.Contains(got, "there is no routing table at /etc/sidestream/routes.yaml") || !strings.Contains(got, "docker run -v") {
		t.Errorf("no table: got %q and code %d, want to be told how to mount one, and 1", got, code)
	}
	bad := t.TempDir()
	writeFile(t, filepath.Join(bad, "routes.yaml"), "routes:\n  - {path: /a, pol: {every: 1s}}\n")
	mount := []string{"--volume", bad + ":/etc/sidestream:ro"}
	for _, command := range [][]string{{}, {"validate"}} {
		got, code := run(slices.Concat(mount, []string{i.name}, command)...)
		if want := `/etc/sidestream/routes.yaml:2:`; code != 1 || !strings.Contains(got, want) || !strings.Contains(got, "poll") {
			t.Errorf("%q with a bad table: got %q and code %d, want the place, the nearest key, and 1", command, got, code)
		}
	}
	// A history has to be somewhere. Until it is, everything else is served.
	c := i.serve(t, "routes:"+hookRoute("events: 10"))
	wait(t, "the reason in the log", func() (any, bool) {
		log := c.log(t)
		return log, strings.Contains(log, "history directory is not writable") && strings.Contains(log, "read-only file system")
	})
}
