package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"
)

// A ledger is a legacy API whose only document is changed by chance: rows
// that come, go, move and differ, and members with awkward names. It remembers
// every version that the document ever had.
type ledger struct {
	url     string
	numbers []string // what its numbers are taken from
	names   []string // and the names of some members

	mu       sync.Mutex
	rnd      *rand.Rand
	doc      map[string]any
	served   string   // the document, in canonical form
	versions []string // all of them, in order; some come again
	last     int      // the highest id of a row so far
	down     bool     // it answers 503
}

// Numbers as they are written. JavaScript writes plain ones just so; of exact
// ones most parsers make something else.
func plainNumbers() []string { return []string{"0", "1", "-7", "12.5", "1024", "0.25", "987654321"} }

func exactNumbers() []string {
	return append(plainNumbers(), "1e400", "12345678901234567890", "0.10", "-0", "1E5", "3.141592653589793238462643383279")
}

// newLedger starts a ledger with rows rows.
func newLedger(tb testing.TB, rows int, numbers []string) *ledger {
	tb.Helper()
	seed := rand.Uint64()
	tb.Logf("seed %d", seed)
	l := &ledger{numbers: numbers, rnd: rand.New(rand.NewPCG(seed, 0))}
	// json-patch for Go finds nothing behind an empty name; for JavaScript
	// there is that, too.
	l.names = []string{"a/b", "m~n", "~1", "é", "0", "-", `q"`}
	list := make([]any, rows)
	for i := range list {
		list[i] = l.row()
	}
	l.doc = map[string]any{"rows": list, "names": map[string]any{}, "list": []any{"a", "b", "a"}}
	l.publish()
	l.url = app(tb, l.serve)
	return l
}

// serve answers with the document in one layout or another, which is no
// change, and with an entity tag.
func (l *ledger) serve(w http.ResponseWriter, r *http.Request) {
	l.mu.Lock()
	text, version, down := l.served, len(l.versions), l.down
	l.mu.Unlock()
	if down {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	etag := fmt.Sprintf("%q", strconv.Itoa(version))
	w.Header().Set("ETag", etag)
	if r.Header.Get("If-None-Match") == etag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	var b bytes.Buffer
	if version%2 == 0 {
		_ = json.Indent(&b, []byte(text), "", "\t") // it is JSON
	} else {
		b.WriteString(text)
	}
	_, _ = w.Write(b.Bytes())
}

func (l *ledger) row() any {
	l.last++
	return map[string]any{
		"id": json.Number(strconv.Itoa(l.last)), "amount": l.number(), "price": l.number(),
		"text": l.text(), "tags": []any{l.text(), l.text()}, "open": l.rnd.IntN(2) == 0,
	}
}

func (l *ledger) number() any { return json.Number(l.numbers[l.rnd.IntN(len(l.numbers))]) }

func (l *ledger) text() any {
	texts := []any{"", "plain", "two\nlines\r\n", "naïve 🎈", "<b>&amp;</b>", "a/b~c\"\\", "\u2028", nil, true}
	return texts[l.rnd.IntN(len(texts))]
}

// change changes the document a little, or takes it back to what it was a
// few versions ago.
func (l *ledger) change() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n := len(l.versions); n > 5 && l.rnd.IntN(10) == 0 {
		l.doc = decoded(l.versions[n-2-l.rnd.IntN(3)]).(map[string]any)
		l.publish()
		return
	}
	for range 1 + l.rnd.IntN(3) {
		l.step()
	}
	l.publish()
}

func (l *ledger) step() {
	rows := l.doc["rows"].([]any)
	i := l.rnd.IntN(len(rows))
	row := maps.Clone(rows[i].(map[string]any))
	switch l.rnd.IntN(8) {
	case 0:
		rows = slices.Insert(rows, i, l.row())
	case 1:
		if len(rows) > 3 {
			rows = slices.Delete(rows, i, i+1)
		}
	case 2:
		rows = slices.Delete(rows, i, i+1)
		rows = slices.Insert(rows, l.rnd.IntN(len(rows)+1), any(row))
	case 3:
		names := l.doc["names"].(map[string]any)
		name := l.names[l.rnd.IntN(len(l.names))]
		if _, ok := names[name]; ok && l.rnd.IntN(2) == 0 {
			delete(names, name)
		} else {
			names[name] = []any{l.number(), map[string]any{name: l.text()}}
		}
	case 4:
		list := l.doc["list"].([]any)
		at := l.rnd.IntN(len(list))
		list[at] = []any{"a", "b", nil, l.number()}[l.rnd.IntN(4)]
		if len(list) < 12 {
			list = slices.Insert(list, at, list[at])
		} else {
			list = list[3:]
		}
		l.doc["list"] = list
	default:
		row["amount"], row["text"] = l.number(), l.text()
		row["tags"] = append(slices.Clone(row["tags"].([]any))[:1], l.text())
		if l.rnd.IntN(4) == 0 {
			row["extra"] = map[string]any{"deep": l.number()}
		} else {
			delete(row, "extra")
		}
		rows[i] = row
	}
	l.doc["rows"] = rows
}

// publish makes the document what is answered from now on.
func (l *ledger) publish() {
	l.served = encoded(l.doc)
	if n := len(l.versions); n == 0 || l.versions[n-1] != l.served {
		l.versions = append(l.versions, l.served)
	}
}

// now returns the document.
func (l *ledger) now() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.served
}

// fail makes the ledger answer 503, or not any more.
func (l *ledger) fail(down bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.down = down
}

// keepChanging changes the document again and again, until stop is called.
func (l *ledger) keepChanging(tb testing.TB, every time.Duration) (stop func()) {
	tb.Helper()
	end := make(chan struct{})
	var running sync.WaitGroup
	running.Go(func() {
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				l.change()
			case <-end:
				return
			}
		}
	})
	stop = sync.OnceFunc(func() {
		close(end)
		running.Wait()
	})
	tb.Cleanup(stop)
	return stop
}

// decoded returns the value of JSON text, with numbers as they are written.
// It panics if that is none.
func decoded(text string) any {
	dec := json.NewDecoder(bytes.NewReader([]byte(text)))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil || dec.More() {
		panic(fmt.Sprintf("not JSON (%v): %.200q", err, text))
	}
	return v
}

// encoded returns a value as JSON in a form in which equal ones are equal.
func encoded(v any) string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic(err)
	}
	return string(bytes.TrimSpace(b.Bytes()))
}

// canonical returns JSON text in that form.
func canonical(text string) string { return encoded(decoded(text)) }
