package e2e

import (
	"fmt"
	"net/http"
	"path/filepath"
	"testing"
	"time"
)

// mirrorPage follows the stream that its query names.
const mirrorPage = `<!doctype html>
<title>e2e</title>
<script src="/fast-json-patch.min.js"></script>
<script type="module">
import { mirror } from "/mirror.js";
window.told = [];
mirror(EventSource, jsonpatch.applyPatch, location.search.slice(1), (one) => told.push(one));
</script>
`

// told is what a page tells of an event.
type told struct{ Kind, ID, Document, Error string }

// X7: pages that apply snapshots and patches as the recipe shows, in Chromium
// and in Node.js, with and without array_keys, have what the API has when it
// stops changing, over connections that are cut; and until then each patch
// fits, and leads to what the API had, never back.
func TestPatchedPages(t *testing.T) {
	l := newLedger(t, 200, plainNumbers())
	l.names = append(l.names, "")
	files := http.NewServeMux()
	files.HandleFunc("/ledger", l.serve)
	for path, name := range map[string]string{
		"/fast-json-patch.min.js": "node_modules/fast-json-patch/dist/fast-json-patch.min.js",
		"/mirror.js":              "mirror.js",
	} {
		files.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, filepath.Join("node", name)) })
	}
	files.HandleFunc("/page.html", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, mirrorPage) })
	l.url = app(t, files.ServeHTTP)
	s := serve(t, ledgerTable(l, 20*time.Millisecond))
	network := newCutter(t, s.url)

	type asker struct {
		name, route string
		ask         func() []told
	}
	chromium := startBrowser(t)
	var pages []asker
	for _, route := range []string{"keyed", "plain"} {
		tab := chromium.open(t, network.url+"/page.html?/"+route)
		p := node(t, "mirror_url.js", network.url+"/"+route)
		pages = append(
			pages,
			asker{"chromium", route, func() []told { return eval[[]told](t, tab, "window.told ?? []") }},
			asker{"node", route, func() []told { return lines[told](t, p) }},
		)
	}
	stop := l.keepChanging(t, 30*time.Millisecond)
	observer := follow(t, s.url+"/keyed")
	for cuts := range 5 {
		for _, p := range pages {
			wait(t, fmt.Sprintf("%s to have come back %d times, and a change after that", p.name, cuts), func() (any, bool) {
				all := p.ask()
				_, opened := documents(all)
				return opened, opened == cuts+1 && all[len(all)-1].Kind != "open"
			})
		}
		seen := len(observer.events())
		observer.await(t, seen+6)
		network.cut()
	}
	stop()
	for _, p := range pages {
		id, m := l.settled(t, s, p.route), newMirror(l, p.route)
		wait(t, p.name+" to have the current document", func() (any, bool) {
			events, opened := documents(p.ask())
			return len(events), opened == 6 && lastID(events) == id
		})
		var patches int
		for _, one := range p.ask() {
			if one.Error != "" {
				t.Errorf("%s, %s: got %s from a %s, want it applied", p.name, p.route, one.Error, one.Kind)
			}
			if one.Kind == "patch" {
				patches++
			}
		}
		events, opened := documents(p.ask())
		if got, err := m.replay(events); err != nil || got != l.now() {
			t.Errorf("%s, %s: got %.200q (%v), want the current document", p.name, p.route, got, err)
		}
		t.Logf("%s, %s: %d patches on %d connections", p.name, p.route, patches, opened)
		if patches < 20 || opened != 6 {
			t.Errorf("%s, %s: got %d patches on %d connections, want at least 20 on 6", p.name, p.route, patches, opened)
		}
	}
}

// documents returns what a page has told as a series of states, and how many
// connections it had.
func documents(all []told) (events []received, opened int) {
	for _, one := range all {
		if one.Kind == "open" {
			opened++
			continue
		}
		events = append(events, received{ID: one.ID, Type: "snapshot", Data: one.Document, Connection: opened - 1})
	}
	return events, opened
}
