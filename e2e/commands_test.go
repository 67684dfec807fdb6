package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// tailed is a line that tail --json prints.
type tailed struct{ ID, Type, Data string }

// run runs the binary to its end and returns what it wrote to its standard
// output and error.
func run(t *testing.T, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	var out, errs strings.Builder
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Getenv(binaryVar), args...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// tail starts "sidestream tail" and returns what asks it for what it has
// printed.
func tail(t *testing.T, args ...string) (p *process, ask func() []tailed) {
	t.Helper()
	p = launch(t, os.Getenv(binaryVar), append([]string{"tail", "--json"}, args...)...)
	return p, func() []tailed {
		var all []tailed
		for line := range strings.Lines(p.output.String()) {
			var one tailed
			if json.Unmarshal([]byte(line), &one) == nil { // the others are notes on reconnects
				all = append(all, one)
			}
		}
		return all
	}
}

// X11, R4: tail prints a stream, across a cut without losing or repeating
// anything, from an id on, and up to a number of events.
func TestTail(t *testing.T) {
	n := startNginx(t)
	n.put(t, "/doc.json", `{"v": 0}`)
	s := serve(t, plain(n, "20ms", "    retry: 50ms"))
	follow(t, s.url+"/doc.json") // keeps the stream, and what it remembers, open
	network := newCutter(t, s.url)
	printed := func(ask func() []tailed, v int) {
		t.Helper()
		wait(t, fmt.Sprintf("%d events printed", v+1), func() (any, bool) {
			all := ask()
			return all, len(all) == v+1 && all[v].Data == fmt.Sprintf(`{"v":%d}`, v)
		})
	}

	p, ask := tail(t, network.url+"/doc.json", "--count", "6")
	for v := range 6 {
		if v > 0 {
			n.put(t, "/doc.json", fmt.Sprintf(`{"v": %d}`, v))
		}
		printed(ask, v)
		if v == 2 || v == 4 {
			network.cut()
		}
	}
	if got := p.exitCode(t); got != 0 {
		t.Errorf("got exit code %d after --count events, want 0", got)
	}
	all := ask()
	for i, e := range all {
		if want := fmt.Sprintf(`{"v":%d}`, i); e.Data != want || e.Type != "message" || e.ID == "" {
			t.Errorf("got %+v, want a message with an id and %s", e, want)
		}
	}

	// What follows an event that the stream remembers.
	stdout, stderr, code := run(t, "tail", s.url+"/doc.json", "--since-id", all[2].ID, "-n", "3")
	var want strings.Builder
	for _, e := range all[3:] {
		_, _ = fmt.Fprintf(&want, "%s message %s\n", e.ID, e.Data)
	}
	if stdout != want.String() || code != 0 {
		t.Errorf("got %q (code %d, %s), want %q", stdout, code, stderr, want.String())
	}

	// It stays away for good where a browser would.
	if _, stderr, code := run(t, "tail", s.url+"/doc.json?lastEventId=-1"); code != 0 {
		t.Errorf("204: got code %d (%s), want 0", code, stderr)
	}
	if _, stderr, code := run(t, "tail", n.url+"/doc.json"); code != 1 || !strings.Contains(stderr, "application/json") {
		t.Errorf("no stream: got code %d and %q, want 1 and the type that it is of", code, stderr)
	}
	if _, stderr, code := run(t, "tail", n.url+"/missing"); code != 1 || !strings.Contains(stderr, "404") {
		t.Errorf("404: got code %d and %q, want 1 and the status", code, stderr)
	}

	// A server that is away for a while is waited for.
	p, ask = tail(t, s.url+"/doc.json", "--count", "2")
	printed2 := func(v, count int) {
		t.Helper()
		wait(t, fmt.Sprintf("%d events printed", count), func() (any, bool) {
			all := ask()
			return all, len(all) == count && all[count-1].Data == fmt.Sprintf(`{"v":%d}`, v)
		})
	}
	printed2(5, 1)
	s.kill()
	n.put(t, "/doc.json", `{"v": 6}`)
	s.start(t)
	printed2(6, 2)
	if got := p.exitCode(t); got != 0 {
		t.Errorf("got exit code %d, want 0", got)
	}
}

// validate tells by its exit code and in words, for people and as JSON,
// whether a table can be served, and all that is wrong with it at once.
func TestValidate(t *testing.T) {
	dir := t.TempDir()
	good, bad := filepath.Join(dir, "good.yaml"), filepath.Join(dir, "bad.yaml")
	writeFile(t, good, "upstream: http://127.0.0.1:1\nroutes:\n  - {path: /a, poll: {every: 1s}}\n  - {path: /b, poll: {}}\n")
	writeFile(t, bad, "upstream: http://127.0.0.1:1\nroutes:\n  - {path: /a, pol: {every: 1s}}\n  - {path: /b, poll: {every: 1 second}}\n")

	type result struct {
		File   string
		Valid  bool
		Routes int
		Errors []struct {
			Line    int
			Message string
		}
	}
	validate := func(args ...string) (result, int) {
		t.Helper()
		stdout, stderr, code := run(t, append([]string{"validate", "--json"}, args...)...)
		var r result
		if err := json.Unmarshal([]byte(stdout), &r); err != nil {
			t.Fatalf("got %q (%s), want JSON: %v", stdout, stderr, err)
		}
		return r, code
	}
	if r, code := validate(good); !r.Valid || r.Routes != 2 || len(r.Errors) != 0 || r.File != good || code != 0 {
		t.Errorf("good table: got %+v and code %d, want it valid with 2 routes and code 0", r, code)
	}
	if r, code := validate("--config", bad); r.Valid || code != 1 || len(r.Errors) != 2 || r.Errors[0].Line != 3 || r.Errors[1].Line != 4 {
		t.Errorf("bad table: got %+v and code %d, want errors in lines 3 and 4 and code 1", r, code)
	}
	if r, code := validate(filepath.Join(dir, "missing.yaml")); r.Valid || code != 1 || len(r.Errors) != 1 {
		t.Errorf("no table: got %+v and code %d, want an error and code 1", r, code)
	}

	if stdout, stderr, code := run(t, "validate", good); code != 0 || !strings.Contains(stdout+stderr, "valid") {
		t.Errorf("good table: got %q, %q and code %d, want code 0", stdout, stderr, code)
	}
	_, stderr, code := run(t, "validate", bad)
	complaints := slices.Collect(strings.Lines(stderr))
	if code != 1 || len(complaints) != 2 || !strings.HasPrefix(complaints[0], bad+":3:") || !strings.Contains(complaints[0], "poll") {
		t.Errorf("bad table: got %q and code %d, want a line for each of 2 errors, the nearest key, and code 1", stderr, code)
	}

	// What can't be validated isn't served.
	if _, stderr, code := run(t, "serve", "--config", bad, "--listen", "127.0.0.1:0"); code != 1 || !strings.Contains(stderr, bad+":3:") {
		t.Errorf("serve a bad table: got %q and code %d, want the errors and code 1", stderr, code)
	}
}
