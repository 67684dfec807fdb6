package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/nats-io/nats.go/jetstream"
)

// bucketTable serves the bucket "prices" as the recipe in docs does.
func bucketTable(nats, app string) string {
	return fmt.Sprintf(`
upstream: %s
defaults:
  nats: {urls: [%q]}
  backoff: {min: 20ms, max: 200ms}
  retry: 50ms
routes:
  - path: /live/prices
    nats: {bucket: prices}
    event: {data: '{key: $key, value: .}'}
`, app, nats)
}

// bucketApp serves the page of the recipe.
func bucketApp(t *testing.T) string {
	t.Helper()
	return app(t, func(w http.ResponseWriter, r *http.Request) {
		http.ServeFile(w, r, filepath.Join("pages", "bucket.html"))
	})
}

// bucketState is what a client of a bucket makes of what it receives, as the
// page of the recipe does.
func bucketState(events []received) map[string]string {
	state := map[string]string{}
	for _, e := range events {
		var entry struct {
			Key    string
			Value  json.RawMessage
			Reason string
		}
		if err := json.Unmarshal([]byte(e.Data), &entry); err != nil {
			continue
		}
		switch {
		case e.Type == "message":
			state[entry.Key] = string(entry.Value)
		case e.Type == "delete":
			delete(state, entry.Key)
		case e.Type == "stream.gap" && (entry.Reason == "expired" || entry.Reason == "recreated" || entry.Reason == "unknown"):
			clear(state)
		}
	}
	return state
}

// The page of the recipe shows what is in the bucket: at first, after each
// change, and after the server was killed.
func TestBucketPage(t *testing.T) {
	n := startNATS(t)
	js := n.jetstream(t)
	bucket, err := js.CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: "prices", Storage: jetstream.FileStorage})
	if err != nil {
		t.Fatal(err)
	}
	put := func(key, value string) {
		t.Helper()
		if _, err := bucket.PutString(t.Context(), key, value); err != nil {
			t.Fatal(err)
		}
	}
	put("apple", "1.20")
	put("pear", "2")
	s := serve(t, bucketTable(n.url, bucketApp(t)))
	tab := startBrowser(t).open(t, s.url+"/page")
	shows := func(want string) {
		t.Helper()
		wait(t, "the page to show "+want, func() (any, bool) {
			got := eval[string](t, tab, `[...document.querySelectorAll('tbody tr')].map(r => [...r.cells].map(c => c.textContent).join('=')).join(' ') + ' / ' + document.getElementById('status').dataset.state`)
			return got, got == want
		})
	}
	shows("apple=1.2 pear=2 / live")
	put("fig", `{"kilo":3}`)
	put("apple", "1.3")
	if err := bucket.Delete(t.Context(), "pear"); err != nil {
		t.Fatal(err)
	}
	shows(`apple=1.3 fig={"kilo":3} / live`)
	for _, scheme := range []string{"light", "dark"} {
		tab.do(t, prefer(scheme), chromedp.EmulateViewport(360, 600))
		if got := eval[int64](t, tab, "document.documentElement.scrollWidth"); got > 360 {
			t.Errorf("%s, 360 wide: got a page of %d, want one that fits", scheme, got)
		}
		screenshot(t, tab, "bucket-"+scheme+".png")
	}
	n.kill()
	shows(`apple=1.3 fig={"kilo":3} / stale`)
	n.start(t)
	n.awaitHealthy(t)
	shows(`apple=1.3 fig={"kilo":3} / live`)
	put("pear", "4")
	shows(`apple=1.3 fig={"kilo":3} pear=4 / live`)
	if err := js.DeleteKeyValue(t.Context(), "prices"); err != nil {
		t.Fatal(err)
	}
	if bucket, err = js.CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: "prices"}); err != nil {
		t.Fatal(err)
	}
	put("plum", "5")
	waitFor(t, 3*patience, "the page to show the new bucket", func() (any, bool) {
		got := eval[string](t, tab, `[...document.querySelectorAll('tbody td')].map(c => c.textContent).join(' ')`)
		return got, got == "plum 5"
	})
}

// Clients that come, go, and come back at any time, at two replicas, all end
// up with what is in the bucket.
func TestBucketConverges(t *testing.T) {
	n := startNATS(t)
	js := n.jetstream(t)
	bucket, err := js.CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: "prices", Storage: jetstream.FileStorage})
	if err != nil {
		t.Fatal(err)
	}
	table := bucketTable(n.url, bucketApp(t))
	replicas := []*sidestream{serve(t, table), serve(t, table)}
	random := rand.New(rand.NewPCG(1, 2))
	var clients []*client
	truth := map[string]string{}
	for step := range 600 {
		key := "k" + strconv.Itoa(random.IntN(40))
		if random.IntN(4) == 0 {
			err = bucket.Delete(t.Context(), key)
			delete(truth, key)
		} else {
			truth[key] = strconv.Itoa(step)
			_, err = bucket.PutString(t.Context(), key, truth[key])
		}
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case step%20 == 0:
			clients = append(clients, follow(t, replicas[random.IntN(2)].url+"/live/prices"))
		case step == 200:
			replicas[0].kill()
			replicas[0].start(t)
		case step == 400:
			replicas[1].signal(t, syscall.SIGTERM)
			replicas[1].exitCode(t)
			replicas[1].start(t)
		}
	}
	for i, c := range clients {
		waitFor(t, 2*patience, fmt.Sprintf("client %d to have what is in the bucket", i), func() (any, bool) {
			got := bucketState(c.events())
			return fmt.Sprintf("%d keys, connections %d", len(got), len(c.conns())), maps.Equal(got, truth)
		})
	}
}

// screenshot takes a picture of the tab, which -artifacts keeps.
func screenshot(t *testing.T, p *tab, name string) {
	t.Helper()
	picture, err := chromedp.Run(p.ctx, chromedp.FullScreenshot(100))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(t.ArtifactDir(), name), picture, 0o644); err != nil {
		t.Fatal(err)
	}
}
