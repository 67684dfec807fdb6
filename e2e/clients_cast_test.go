package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/url"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sidestream/proxy/eventstream"
)

// heard is what a client has dispatched.
type heard struct {
	Stream string
	Kind   string // open, error, closed, or an event's type
	Data   string
	ID     string // lastEventId
	State  int    // readyState, of those that have one: 0 connecting, 1 open, 2 closed
}

// A recorder has what a client has heard, by stream.
type recorder struct {
	mu     sync.Mutex
	rest   []byte // the beginning of a line
	heard  map[string][]heard
	failed error // nothing more will come
}

func newRecorder() *recorder { return &recorder{heard: map[string][]heard{}} }

// of returns what was heard of a stream so far.
func (r *recorder) of(stream string) []heard {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := r.heard[stream]
	return all[:len(all):len(all)]
}

func (r *recorder) add(all ...heard) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, h := range all {
		r.heard[h.Stream] = append(r.heard[h.Stream], h)
	}
}

func (r *recorder) fail(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failed = err
}

func (r *recorder) failure() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.failed
}

// Write takes lines of JSON, in whatever pieces they come.
func (r *recorder) Write(p []byte) (int, error) {
	r.rest = append(r.rest, p...)
	for {
		line, rest, ok := bytes.Cut(r.rest, []byte("\n"))
		if !ok {
			return len(p), nil
		}
		var h heard
		if err := json.Unmarshal(line, &h); err != nil {
			r.fail(fmt.Errorf("got %.200q, want a line of JSON: %w", line, err))
			return len(p), nil
		}
		r.add(h)
		r.rest = rest
	}
}

// A cast is what several clients have in common.
type cast struct {
	browser *browser
	program string // of goclients
}

func (c *cast) chromium(t *testing.T) *browser {
	t.Helper()
	if c.browser == nil {
		c.browser = startBrowser(t)
	}
	return c.browser
}

func (c *cast) goclients(t *testing.T) string {
	t.Helper()
	if c.program == "" {
		c.program = filepath.Join(t.TempDir(), "goclients")
		cmd := exec.Command("go", "build", "-o", c.program, "./goclients")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("go build: %v\n%s", err, out)
		}
	}
	return c.program
}

// typesToHear are those that clients are asked to listen for, where they have
// to be.
var typesToHear = []string{"join", "stockUpdate", "stream.gap", "stream.stale", "stream.fresh", "stream.live", "stream.end"}

// A starter starts a client on streams, by their names.
type starter func(t *testing.T, c *cast, urls map[string]string) *recorder

// inChromium is a client in a page of Chromium; see pages/client.html.
func inChromium(client string) starter {
	return func(t *testing.T, c *cast, urls map[string]string) *recorder {
		t.Helper()
		return collect(t, c.chromium(t).open(t, clientsPage(t, client, urls)))
	}
}

// inFirefox is the same in Firefox.
func inFirefox(client string) starter {
	return func(t *testing.T, _ *cast, urls map[string]string) *recorder {
		t.Helper()
		return collect(t, startFirefox(t).open(t, clientsPage(t, client, urls)))
	}
}

// clientsPage returns the URL of a page that follows streams, at the host of
// one of them.
func clientsPage(t *testing.T, client string, urls map[string]string) string {
	t.Helper()
	var streams [][2]string
	for _, name := range slices.Sorted(maps.Keys(urls)) {
		streams = append(streams, [2]string{name, urls[name]})
	}
	text, err := json.Marshal(streams)
	if err != nil {
		t.Fatal(err)
	}
	page, err := url.Parse(streams[0][1])
	if err != nil {
		t.Fatal(err)
	}
	page.Path = "/clients.html"
	page.RawQuery = url.Values{
		"client": {client}, "types": {strings.Join(typesToHear, ",")}, "streams": {string(text)},
	}.Encode()
	return page.String()
}

// collect takes what a page has kept, again and again until the test ends.
func collect(t *testing.T, p evaluator) *recorder {
	t.Helper()
	r := newRecorder()
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for {
			text, err := p.json(ctx, "kept.splice(0)")
			var all []heard
			if err == nil {
				err = json.Unmarshal(text, &all)
			}
			if err != nil {
				r.fail(err)
				return
			}
			r.add(all...)
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
		}
	})
	t.Cleanup(func() {
		cancel()
		running.Wait()
	})
	return r
}

// inNode is a client from npm in a process of its own; see node/follow.js.
func inNode(client string) starter {
	return func(t *testing.T, _ *cast, urls map[string]string) *recorder {
		t.Helper()
		r := newRecorder()
		args := slices.Concat([]string{client, strings.Join(typesToHear, ",")}, pairs(urls))
		nodeTo(t, r, "follow.js", args...)
		return r
	}
}

// inGo is a client library for Go in a process of its own; see goclients.
func inGo(client string) starter {
	return func(t *testing.T, c *cast, urls map[string]string) *recorder {
		t.Helper()
		r := newRecorder()
		launchTo(t, r, c.goclients(t), slices.Concat([]string{client}, pairs(urls))...)
		return r
	}
}

// pairs returns NAME=URL of each stream.
func pairs(urls map[string]string) []string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(urls)) {
		all = append(all, name+"="+urls[name])
	}
	return all
}

// withCurl is curl, whose output is decoded here.
func withCurl(t *testing.T, _ *cast, urls map[string]string) *recorder {
	t.Helper()
	r := newRecorder()
	for stream, url := range urls {
		out, in := io.Pipe()
		var running sync.WaitGroup
		running.Go(func() {
			dec := eventstream.NewDecoder(out, nil)
			for {
				e, err := dec.Next()
				if err != nil {
					r.add(heard{Stream: stream, Kind: "closed"})
					return
				}
				r.add(heard{Stream: stream, Kind: e.Type, Data: string(e.Data), ID: e.ID})
			}
		})
		p := launchTo(t, in, "curl", "-sN", "-H", "Accept: text/event-stream", url)
		running.Go(func() {
			<-p.exited
			_ = in.Close()
		})
		t.Cleanup(func() {
			p.kill()
			running.Wait()
		})
	}
	return r
}
