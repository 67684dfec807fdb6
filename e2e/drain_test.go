package e2e

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"
)

// A rollout is no stampede: on SIGTERM the server is not ready any more, then
// closes the connections spread over the window, tells each client another
// time to come back (W6), and ends with code 0.
func TestDrain(t *testing.T) {
	const (
		clients = 200
		delay   = 300 * time.Millisecond
		window  = 2 * time.Second
	)
	n := startNginx(t)
	n.put(t, "/doc.json", `{"v": 1}`)
	s := serve(t, fmt.Sprintf(`
upstream: %s
drain: {delay: %v, window: %v, timeout: 2s}
routes:
  - {path: /doc.json, poll: {every: 50ms}, retry: 10s}
`, n.url, delay, window))
	all, _ := gather(t, s.url+"/doc.json", clients)
	all.await(t, "the document", newest(`{"v":1}`))

	asked := time.Now()
	s.signal(t, syscall.SIGTERM)
	wait(t, "/readyz to say 503", func() (any, bool) {
		code, _, err := fetch(s.admin + "/readyz")
		return fmt.Sprint(code, err), code == http.StatusServiceUnavailable
	})
	s.signal(t, syscall.SIGHUP) // from a config reloader, say: it doesn't cut the drain short
	all.await(t, "its connection closed", disconnected)
	if got := s.exitCode(t); got != 0 {
		t.Errorf("got exit code %d, want 0", got)
	}
	if got := time.Since(asked); got > delay+window+2*time.Second {
		t.Errorf("got an end after %v, want it after the delay and the window", got)
	}

	var ends []time.Duration
	retries := map[time.Duration]bool{}
	for _, c := range all {
		conn := c.conns()[0]
		ends = append(ends, conn.ended.Sub(asked))
		retries[conn.retry] = true
		if conn.retry < 10*time.Second || conn.retry > 20*time.Second {
			t.Errorf("got a last retry of %v, want the route's 10s to twice as much", conn.retry)
		}
	}
	slices.Sort(ends)
	if ends[0] < delay {
		t.Errorf("got the first connection closed after %v, want not before the delay of %v", ends[0], delay)
	}
	// Of 200 moments taken by chance, a quarter in each quarter of the window.
	for i := range 4 {
		from, to := delay+window/4*time.Duration(i), delay+window/4*time.Duration(i+1)
		if i == 3 {
			to += time.Second
		}
		closed := 0
		for _, at := range ends {
			if at >= from && at < to {
				closed++
			}
		}
		if closed < clients/10 {
			t.Errorf("got %d connections closed from %v to %v, want about %d: %v", closed, from, to, clients/4, ends)
		}
	}
	if got := len(retries); got < clients*9/10 {
		t.Errorf("got %d different retry lines for %d clients, want each its own", got, clients)
	}
}

// reloadTable has an unchanged route and one whose retry is given.
func reloadTable(n *nginx, retry string) string {
	return fmt.Sprintf(`
upstream: %s
drain: {window: 200ms}
routes:
  - {path: /same.json, poll: {every: 50ms}, retry: 100ms}
  - {path: /other.json, poll: {every: 50ms}, retry: %s}
`, n.url, retry)
}

// A changed table: clients of a route that hasn't changed keep their
// connections, those of a route that has come back to it and have lost
// nothing. A table with errors changes nothing and is logged.
func TestReload(t *testing.T) {
	for _, how := range []struct {
		name   string
		layout func(t *testing.T, dir, routes string) (config string)
		change func(t *testing.T, s *sidestream, routes string)
	}{
		{"file replaced", ordinaryFile, func(t *testing.T, s *sidestream, routes string) {
			t.Helper()
			replaceFile(t, s.config, routes)
		}},
		{"file written in place", ordinaryFile, func(t *testing.T, s *sidestream, routes string) {
			t.Helper()
			writeFile(t, s.config, routes)
		}},
		{"SIGHUP", aside, func(t *testing.T, s *sidestream, routes string) {
			t.Helper()
			writeFile(t, s.config, routes)
			s.signal(t, syscall.SIGHUP)
		}},
		{"ConfigMap", configMap, func(t *testing.T, s *sidestream, routes string) {
			t.Helper()
			swapConfigMap(t, filepath.Dir(s.config), routes)
		}},
	} {
		t.Run(how.name, func(t *testing.T) {
			n := startNginx(t)
			n.put(t, "/same.json", `{"same": 1}`)
			n.put(t, "/other.json", `{"other": 1}`)
			s := serveFile(t, how.layout(t, t.TempDir(), reloadTable(n, "100ms")))
			same, _ := gather(t, s.url+"/same.json", 20)
			other, _ := gather(t, s.url+"/other.json", 20)
			same.await(t, "its document", newest(`{"same":1}`))
			other.await(t, "its document", newest(`{"other":1}`))

			how.change(t, s, reloadTable(n, "150ms"))
			s.awaitLog(t, "routing table reloaded", 1)
			other.await(t, "a second connection", func(c *client) bool { return len(c.conns()) == 2 && connected(c) })
			n.put(t, "/same.json", `{"same": 2}`)
			n.put(t, "/other.json", `{"other": 2}`)
			same.await(t, "the changed document", newest(`{"same":2}`))
			other.await(t, "the changed document", newest(`{"other":2}`))

			how.change(t, s, "routes: [{path: /same.json, pol: {}}]\n")
			s.awaitLog(t, "the changed routing table has errors; the one before stays in service", 1)
			n.put(t, "/same.json", `{"same": 3}`)
			n.put(t, "/other.json", `{"other": 3}`)
			same.await(t, "the changed document", newest(`{"same":3}`))
			other.await(t, "the changed document", newest(`{"other":3}`))
			if got := s.metric(t, `sidestream_config_reloads_total{result="failure"}`); got != 1 {
				t.Errorf("got %v failed reloads counted, want 1", got)
			}

			for _, c := range same {
				if got := len(c.conns()); got != 1 {
					t.Fatalf("got %d connections to a route that hasn't changed, want 1", got)
				}
			}
			for _, c := range other {
				if got := len(c.conns()); got != 2 {
					t.Fatalf("got %d connections to a route that has changed once, want 2", got)
				}
				want := []string{`{"other":1}`, `{"other":2}`, `{"other":3}`}
				if got := c.messages(); !slices.Equal(got, want) {
					t.Fatalf("got messages %q, want %q", got, want)
				}
			}
		})
	}
}

func ordinaryFile(t *testing.T, dir, routes string) string {
	t.Helper()
	config := filepath.Join(dir, "routes.yaml")
	writeFile(t, config, routes)
	return config
}

// aside puts the table where a change is not seen: behind a symbolic link
// into another directory.
func aside(t *testing.T, dir, routes string) string {
	t.Helper()
	writeFile(t, filepath.Join(dir, "aside", "routes.yaml"), routes)
	config := filepath.Join(dir, "routes.yaml")
	if err := os.Symlink(filepath.Join("aside", "routes.yaml"), config); err != nil {
		t.Fatal(err)
	}
	return config
}

// configMap lays a directory out as a kubelet does: routes.yaml is a symbolic
// link into "..data", which is one to a directory of this version.
func configMap(t *testing.T, dir, routes string) string {
	t.Helper()
	swapConfigMap(t, dir, routes)
	config := filepath.Join(dir, "routes.yaml")
	if err := os.Symlink(filepath.Join("..data", "routes.yaml"), config); err != nil {
		t.Fatal(err)
	}
	return config
}

// swapConfigMap puts another version in place in one step, and deletes the
// one before.
func swapConfigMap(t *testing.T, dir, routes string) {
	t.Helper()
	data := filepath.Join(dir, "..data")
	before, _ := os.Readlink(data) // none the first time
	version := fmt.Sprintf("..%d", time.Now().UnixNano())
	writeFile(t, filepath.Join(dir, version, "routes.yaml"), routes)
	if err := os.Symlink(version, data+"_tmp"); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(data+"_tmp", data); err != nil {
		t.Fatal(err)
	}
	if before != "" {
		if err := os.RemoveAll(filepath.Join(dir, before)); err != nil {
			t.Fatal(err)
		}
	}
}
