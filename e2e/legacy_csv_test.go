package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// A stock is a collection that an API exports as CSV.
type stock struct {
	mu      sync.Mutex
	amounts map[string]int
	changed time.Time
}

func (s *stock) set(sku string, amount int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.changed = s.changed.Add(time.Second)
	if s.amounts[sku] = amount; amount == 0 {
		delete(s.amounts, sku)
	}
}

func (s *stock) all() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.amounts)
}

func (s *stock) export(w http.ResponseWriter, r *http.Request) {
	all := s.all()
	var b strings.Builder
	b.WriteString("sku;name;amount\r\n")
	for _, sku := range slices.Sorted(maps.Keys(all)) {
		_, _ = fmt.Fprintf(&b, "%s;\"a \"\"%s\"\";\nof two lines\";%d\r\n", sku, sku, all[sku])
	}
	w.Header().Set("Content-Type", "text/csv; charset=utf-8")
	s.mu.Lock()
	changed := s.changed
	s.mu.Unlock()
	http.ServeContent(w, r, "", changed, strings.NewReader(b.String()))
}

// held is the collection that a client has put together from its events.
func held(t *testing.T, c *client) map[string]int {
	t.Helper()
	type row struct{ SKU, Name, Amount string }
	has := map[string]int{}
	put := func(sku string, text []byte) {
		var r row
		if err := json.Unmarshal(text, &r); err != nil || sku != "" && sku != r.SKU || r.Name != fmt.Sprintf("a %q;\nof two lines", r.SKU) {
			t.Fatalf("got the row %s (%v)", text, err)
		}
		var amount int
		_, _ = fmt.Sscan(r.Amount, &amount)
		has[r.SKU] = amount
	}
	for _, e := range c.events() {
		switch e.Type {
		case "snapshot":
			var pairs [][2]json.RawMessage
			if err := json.Unmarshal([]byte(e.Data), &pairs); err != nil {
				t.Fatalf("snapshot %s: %v", e.Data, err)
			}
			has = map[string]int{}
			for _, p := range pairs {
				put(strings.Trim(string(p[0]), `"`), p[1])
			}
		case "upsert":
			put("", []byte(e.Data))
		case "delete":
			var gone struct{ Key string }
			if err := json.Unmarshal([]byte(e.Data), &gone); err != nil {
				t.Fatalf("delete %s: %v", e.Data, err)
			}
			if _, ok := has[gone.Key]; !ok {
				t.Fatalf("got a delete of %s, which the client doesn't have", gone.Key)
			}
			delete(has, gone.Key)
		}
	}
	return has
}

// A CSV export as a collection: a client that applies what it gets has the
// rows of the export, through cuts, a crash, and at another replica.
func TestLegacyCSV(t *testing.T) {
	rows := &stock{amounts: map[string]int{}, changed: feedStart}
	for i := range 30 {
		rows.set(fmt.Sprintf("a-%02d", i), i+1)
	}
	api := startLegacy(t, rows.export)
	table := quick + fmt.Sprintf(`
routes:
  - path: /stock
    live_marker: false
    poll: {url: %s/export.csv, emit: items, csv: {delimiter: ";"}, items: {key: .sku}}
`, api.url)
	s := serve(t, table)
	network := newCutter(t, s.url)
	steady, cut := follow(t, s.url+"/stock"), follow(t, network.url+"/stock")
	agree := func(what string, clients ...*client) {
		t.Helper()
		for i, c := range clients {
			wait(t, fmt.Sprintf("%s: client %d with the rows of the export", what, i), func() (any, bool) {
				return held(t, c), maps.Equal(held(t, c), rows.all())
			})
		}
	}
	agree("at first", steady, cut)
	for i := range 12 {
		for j := range 1 + i%3 {
			rows.set(fmt.Sprintf("a-%02d", (7*i+3*j)%40), i*j) // 0 takes it away
		}
		if i%2 == 0 {
			agree("change", steady)
		}
		if i%3 == 0 {
			network.cut()
		}
	}
	agree("cut four times", steady, cut)
	if got := kinds(steady)[1:]; slices.Contains(got, "snapshot") || slices.Contains(got, "stream.gap") || !slices.Contains(got, "delete") {
		t.Errorf("got events %q after the first, want upsert and delete alone", got)
	}

	before := len(steady.events())
	s.kill()
	s.start(t)
	rows.set("b-00", 5)
	agree("after kill -9", steady, cut)
	other := serve(t, table)
	agree("another replica", follow(t, other.url+"/stock", steady.events()[before-1].ID), follow(t, other.url+"/stock"))

	// Whoever has the current state gets nothing of it again.
	events := steady.events()
	c := follow(t, other.url+"/stock", events[len(events)-1].ID)
	other.awaitClients(t, "/stock", 3)
	rows.set("b-01", 6)
	if got := c.await(t, 1); got[0].Type != "upsert" || !strings.Contains(got[0].Data, "b-01") {
		t.Errorf("back with the current id: got %v, want the next change alone", got)
	}
}
