package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// A sidestream is the binary under test, serving a routing table.
type sidestream struct {
	*process
	url    string // http://host:port of the public listener
	admin  string // the same of the admin listener
	config string // file with the routing table
	args   []string
}

// serve writes a routing table to a file, runs the binary with it, and
// returns when it is ready.
func serve(tb testing.TB, routes string) *sidestream {
	tb.Helper()
	config := filepath.Join(tb.TempDir(), "routes.yaml")
	writeFile(tb, config, routes)
	return serveFile(tb, config)
}

func serveFile(tb testing.TB, config string) *sidestream {
	tb.Helper()
	listen := fmt.Sprintf("127.0.0.1:%d", freePort(tb))
	s := newSidestream(tb, "http://"+listen, config, "--listen", listen)
	s.start(tb)
	return s
}

// serveAt runs the binary with a routing table that says itself where to
// listen; url is one way to reach it.
func serveAt(tb testing.TB, url, routes string) *sidestream {
	tb.Helper()
	config := filepath.Join(tb.TempDir(), "routes.yaml")
	writeFile(tb, config, routes)
	s := newSidestream(tb, url, config)
	s.start(tb)
	return s
}

// newSidestream returns one that doesn't run yet.
func newSidestream(tb testing.TB, url, config string, flags ...string) *sidestream {
	tb.Helper()
	admin := fmt.Sprintf("127.0.0.1:%d", freePort(tb))
	return &sidestream{
		url: url, admin: "http://" + admin, config: config,
		args: append([]string{
			"serve", "--config", config, "--admin", admin,
			"--log-level", "debug", "--log-format", "json",
		}, flags...),
	}
}

// start runs the binary, again if it has run before, on the same addresses.
func (s *sidestream) start(tb testing.TB) {
	tb.Helper()
	s.process = launch(tb, os.Getenv(binaryVar), s.args...)
	p := s.process
	tb.Cleanup(func() {
		if out := p.output.String(); strings.Contains(out, "DATA RACE") || strings.Contains(out, "panic:") {
			tb.Errorf("got a data race or a panic, want none:\n%s", p.output.tail(16<<10))
		}
	})
	wait(tb, "sidestream ready", func() (any, bool) {
		if !p.running() {
			tb.Fatalf("got an end with code %d, want it running", p.cmd.ProcessState.ExitCode())
		}
		code, body, err := fetch(s.admin + "/readyz")
		return fmt.Sprint(code, body, err), code == http.StatusOK
	})
}

// logged returns the lines of the log that have this message.
func (s *sidestream) logged(message string) []map[string]any {
	var lines []map[string]any
	for line := range strings.Lines(s.output.String()) {
		var fields map[string]any
		if json.Unmarshal([]byte(line), &fields) == nil && fields["message"] == message {
			lines = append(lines, fields)
		}
	}
	return lines
}

// awaitLog waits until the log has n lines with this message.
func (s *sidestream) awaitLog(tb testing.TB, message string, n int) {
	tb.Helper()
	wait(tb, fmt.Sprintf("%d lines %q in the log", n, message), func() (any, bool) {
		have := len(s.logged(message))
		return have, have >= n
	})
}

// metric returns the value of a line of /metrics, such as
// `sidestream_clients{route="/a"}`, and 0 if there is no such line.
func (s *sidestream) metric(tb testing.TB, name string) float64 {
	tb.Helper()
	_, body, err := fetch(s.admin + "/metrics")
	if err != nil {
		tb.Fatalf("metrics: %v", err)
	}
	for line := range strings.Lines(body) {
		if text, ok := strings.CutPrefix(line, name+" "); ok {
			value, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
			if err != nil {
				tb.Fatalf("metric %s: %v", name, err)
			}
			return value
		}
	}
	return 0
}

// awaitClients waits until a route has n clients.
func (s *sidestream) awaitClients(tb testing.TB, route string, n int) {
	tb.Helper()
	wait(tb, fmt.Sprintf("%d clients on %s", n, route), func() (any, bool) {
		have := int(s.metric(tb, fmt.Sprintf("sidestream_clients{route=%q}", route)))
		return have, have == n
	})
}

// memory returns the resident set of the process in bytes.
func (s *sidestream) memory(tb testing.TB) int64 {
	tb.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	if err != nil {
		tb.Fatalf("memory of sidestream: %v", err)
	}
	_, rest, _ := bytes.Cut(status, []byte("VmRSS:"))
	var kib int64
	if _, err := fmt.Sscanf(string(rest), "%d kB", &kib); err != nil {
		tb.Fatalf("memory of sidestream: %v", err)
	}
	return kib << 10
}

// grown checks that the process has at most so many bytes more memory than
// before. With the race detector, which costs up to ten times as much, that
// is taken into account.
func (s *sidestream) grown(tb testing.TB, before, most int64) {
	tb.Helper()
	if os.Getenv(raceVar) == "1" {
		most *= 10
	}
	grown := s.memory(tb) - before
	tb.Logf("%d MiB more memory", grown>>20)
	if grown > most {
		tb.Errorf("got %d MiB more memory, want at most %d", grown>>20, most>>20)
	}
}

// fetch gets a small document.
func fetch(url string) (code int, body string, err error) {
	transport := &http.Transport{DisableKeepAlives: true, DisableCompression: true}
	c := &http.Client{Transport: transport, Timeout: 10 * time.Second}
	resp, err := c.Get(url)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(text), err
}

func writeFile(tb testing.TB, name, content string) {
	tb.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		tb.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
		tb.Fatal(err)
	}
}

// replaceFile writes a file so that a reader finds either the old content or
// the new one.
func replaceFile(tb testing.TB, name, content string) {
	tb.Helper()
	writeFile(tb, name+".new", content)
	if err := os.Rename(name+".new", name); err != nil {
		tb.Fatal(err)
	}
}
