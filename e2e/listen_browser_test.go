package e2e

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// R12: 20 streams of one page in a browser share one connection, HTTP/2 over
// TLS, where HTTP/1.1 would have room for 6. Each gets its own events, all
// others of the page go on beside them, and so do the streams when one is
// closed.
func TestManyStreamsOfOnePage(t *testing.T) {
	const streams = 20
	n := startNginx(t)
	n.put(t, "/page.html", `<!doctype html>
<title>e2e</title>
<script>
const heard = {}, sources = {};
function listen(name) {
	heard[name] = [];
	sources[name] = new EventSource("/docs/" + name);
	sources[name].onmessage = (e) => heard[name].push(e.data);
}
</script>
`)
	n.put(t, "/other.json", `"beside"`)
	put := func(i, v int) { n.put(t, fmt.Sprintf("/docs/d%d.json", i), fmt.Sprintf(`{"d%d": %d}`, i, v)) }
	for i := range streams {
		put(i, 1)
	}
	ca := newAuthority(t)
	own := ca.issue(t, time.Hour, "127.0.0.1")
	files := mount(t, own.files())
	address := fmt.Sprintf("127.0.0.1:%d", freePort(t))
	s := serveAt(t, "https://"+address, fmt.Sprintf(`
listen: {address: "%s", tls: {cert: %[2]s/tls.crt, key: %[2]s/tls.key}}
upstream: %s
routes:
  - {path: "/docs/{name}", live_marker: false, retry: 100ms, poll: {every: 50ms, url: "/docs/{name}.json"}}
`, address, files.dir, n.url))

	key := sha256.Sum256(subjectKey(t, own))
	chromium := startBrowser(t, chromedp.Flag("ignore-certificate-errors-spki-list", base64.StdEncoding.EncodeToString(key[:])))
	page := chromium.open(t, s.url+"/page.html")
	if got := eval[string](t, page, `performance.getEntriesByType("navigation")[0].nextHopProtocol`); got != "h2" {
		t.Fatalf("got the page by %q, want h2", got)
	}
	eval[bool](t, page, fmt.Sprintf(`for (let i = 0; i < %d; i++) listen("d" + i); true`, streams))
	hear := func(name string, want ...string) {
		t.Helper()
		wait(t, fmt.Sprintf("%v on the stream %s", want, name), func() (any, bool) {
			got := eval[[]string](t, page, fmt.Sprintf("heard[%q] ?? []", name))
			return got, slices.Equal(got, want)
		})
	}
	for i := range streams {
		hear(fmt.Sprintf("d%d", i), fmt.Sprintf(`{"d%d":1}`, i))
	}
	s.awaitClients(t, "/docs/{name}", streams)
	eval[bool](t, page, `fetch("/other.json").then(r => r.json()).then(v => heard.other = [v]); true`)
	hear("other", "beside")

	eval[bool](t, page, `sources.d0.close() ?? true`)
	s.awaitClients(t, "/docs/{name}", streams-1)
	for i := range streams {
		put(i, 2)
	}
	for i := 1; i < streams; i++ {
		hear(fmt.Sprintf("d%d", i), fmt.Sprintf(`{"d%d":1}`, i), fmt.Sprintf(`{"d%d":2}`, i))
	}
	connections := map[any]bool{}
	for _, line := range s.logged("client connected") {
		connections[line["client"]] = true
	}
	if got := len(s.logged("client connected")); len(connections) != 1 || got != streams {
		t.Errorf("got %d clients on %d connections, want %d on one", got, len(connections), streams)
	}
}
