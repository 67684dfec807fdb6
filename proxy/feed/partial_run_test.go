package feed_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"sidestream/adapters"
	"sidestream/proxy/feed"
)

// TestPartialModel fills logs from a source that merges those of its upstream,
// with all that can happen to it, and brings clients to them that have come by
// other merges. Whoever is given a place reads from there what it lacks,
// nothing that it has, and of what it can't be given any more a gap.
func TestPartialModel(t *testing.T) {
	const seeds, steps = 200, 400
	found, strange, refused := 0, 0, 0
	for seed := range uint64(seeds) {
		r := newPartialRun(t, seed)
		for step := range steps {
			if r.step(); t.Failed() {
				t.Fatalf("seed %d, at step %d", seed, step)
			}
		}
		found, strange, refused = found+r.found, strange+r.strange, refused+r.refused
	}
	t.Logf("%d clients had a place, %d of them from other merges, and %d had none", found, strange, refused)
	if strange < seeds || refused < seeds {
		t.Errorf("got %d clients from other merges with a place and %d without, want many of both", strange, refused)
	}
}

// partialRun is a feed that is filled from a merge, and by whom it is read.
type partialRun struct {
	*testing.T
	*merge
	log      *feed.Log   // nil: there is one for each key
	keyed    *feed.Keyed // nil: there is one for all
	keys     int
	stateful bool
	selects  bool
	held     map[string]bool // keys that are read

	found, strange, refused int
}

func newPartialRun(t *testing.T, seed uint64) *partialRun {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 2))
	o := feed.Options{Events: 1 + r.IntN(30), Compare: byVector, Partial: true, Selects: r.IntN(3) == 0}
	if r.IntN(3) == 0 {
		o.Bytes = int64(1 + r.IntN(1500))
	}
	keys := 1
	if r.IntN(2) == 0 {
		keys = 2 + r.IntN(5)
	}
	run := &partialRun{T: t, merge: newMerge(r, keys), keys: keys, stateful: r.IntN(2) == 0, selects: o.Selects, held: map[string]bool{}}
	run.selecting = o.Selects
	if keys == 1 {
		run.log = feed.New(o)
	} else {
		run.keyed = feed.NewKeyed(feed.KeyedOptions{Log: o, Idle: feed.Idle{Events: 1 + r.IntN(40)}})
	}
	return run
}

func (r *partialRun) step() {
	switch op := r.IntN(40); {
	case op < 20:
		r.produce(r.incarnation, r.keys)
		for range r.IntN(4) {
			r.deliver()
		}
	case op == 20:
		if r.IntN(5) == 0 {
			r.gap()
		}
	case op == 21:
		if r.IntN(10) == 0 {
			r.beginAnew()
		}
	case op < 24:
		r.mark()
	case op < 27:
		r.hold()
	default:
		r.resume()
	}
	if got := r.newest(); len(r.ids) > 0 && got != r.ids[len(r.ids)-1] {
		r.Errorf("Newest: got %q, want %q", got, r.ids[len(r.ids)-1])
	}
}

func (r *partialRun) newest() string {
	if r.log != nil {
		return r.log.Newest()
	}
	defer r.keyed.Release("A")
	return r.keyed.Acquire("A").Newest()
}

// deliver gives the feed the next record, if it is for anybody.
func (r *partialRun) deliver() {
	rec, ok := r.next()
	if !ok {
		return
	}
	key := r.keyOf(rec)
	switch {
	case r.selecting && r.IntN(2) == 0: // left out
	case key == "-":
		if !r.selecting && r.IntN(3) > 0 {
			r.mark()
		}
	case !r.selecting && r.IntN(100) == 0: // it can't be written
		r.gone = append(r.gone, passage{key: key, gap: true, lost: []record{rec}})
		g := feed.Gap{Reason: adapters.LostInvalid, Lost: 1}
		if r.log != nil {
			r.must(r.log.AppendGap(g))
		} else {
			r.must(r.keyed.AppendGapTo(key, g))
		}
		r.mark()
	default:
		r.append(key, rec)
	}
}

func (r *partialRun) append(key string, rec record) {
	e := adapters.Event{Position: adapters.Position(r.here()), Data: []byte(fmt.Sprint(rec))}
	if r.stateful {
		e = adapters.NewState(e.Position, "", e.Data)
	}
	r.gone = append(r.gone, passage{record: rec, key: key})
	r.ids = append(r.ids, r.here())
	if r.log != nil {
		r.must(r.log.Append(&e))
	} else {
		r.must(r.keyed.Append(key, &e))
	}
}

func (r *partialRun) must(err error) {
	if err != nil {
		r.Fatalf("append: got error %v, want none", err)
	}
}

// mark marks the place where the source is, in the words of a record or of one
// that waits.
func (r *partialRun) mark() {
	id := r.here()
	if r.IntN(2) == 0 {
		id = idOf(r.incarnation, r.at, waiting)
	}
	r.ids = append(r.ids, id)
	r.selecting = false
	if r.log != nil {
		r.log.Mark(id)
	} else {
		r.keyed.Mark(id)
	}
}

// gap lets the source lose something, or go on elsewhere.
func (r *partialRun) gap() {
	if r.selecting {
		return
	}
	p := passage{gap: true, anew: r.IntN(3) == 0}
	p.lost = r.lose(r.incarnation, r.elsewhere(r.incarnation, !p.anew))
	r.gone = append(r.gone, p)
	g := feed.Gap{Reason: adapters.LostOverflow, Lost: -1}
	if r.log != nil {
		r.must(r.log.AppendGap(g))
	} else {
		r.must(r.keyed.AppendGap(g))
	}
}

// beginAnew lets the source begin anew, in the same incarnation or another.
func (r *partialRun) beginAnew() {
	incarnation := r.incarnation
	if r.IntN(2) == 0 {
		incarnation++
		r.create(incarnation, r.keys)
	}
	lost := r.lose(incarnation, r.elsewhere(incarnation, false))
	r.gone = append(r.gone, passage{gap: true, anew: true, lost: lost})
	r.selecting = r.selects
	g := feed.Gap{Reason: adapters.LostRecreated, Lost: -1}
	if r.log != nil {
		r.must(r.log.Restart(g))
	} else {
		r.must(r.keyed.Restart(g))
	}
}

// hold begins or ends to read a key.
func (r *partialRun) hold() {
	key := string(rune('A' + r.IntN(r.keys)))
	switch {
	case r.keyed == nil:
	case r.held[key]:
		r.keyed.Release(key)
	default:
		r.keyed.Acquire(key)
	}
	r.held[key] = !r.held[key]
}

// resume brings a client to the feed.
func (r *partialRun) resume() {
	id, key, l := r.client(), string(rune('A'+r.IntN(r.keys))), r.log
	if l == nil {
		l = r.keyed.Acquire(key)
		defer r.keyed.Release(key)
	}
	c, ok := l.After(id)
	if beyond, also := l.Beyond(id); also != ok || beyond != c {
		r.Errorf("Beyond(%s): got %v, %t, want no more than After, %v, %t", id, beyond, also, c, ok)
	}
	if !ok {
		r.refused++
		return
	}
	r.found++
	if !r.wasAt(id) {
		r.strange++
	}
	got := r.read(l, c, key)
	if wrong := r.judge(id, key, got); wrong != "" {
		r.Errorf("After(%s) of key %s: got a place that %s, reading %v", id, key, wrong, got)
	}
}

// wasAt reports whether the source was at the place of id.
func (r *partialRun) wasAt(id string) bool {
	for _, at := range r.ids {
		if order, ok := byVector(at, id); ok && order == 0 {
			return true
		}
	}
	return false
}

// read returns what is read of key from c to the end.
func (r *partialRun) read(l *feed.Log, c feed.Cursor, key string) []passage {
	n, buf := 0, make([]feed.Entry, 8)
	var entries []feed.Entry
	for {
		k, _, err := l.Read(&c, buf)
		if err != nil {
			r.Fatalf("read: got error %v, want none", err)
		}
		if k == 0 {
			break
		}
		n, entries = n+k, append(entries, buf[:k]...)
	}
	got := make([]passage, n)
	for i := len(r.gone) - 1; i >= 0 && n > 0; i-- {
		if p := r.gone[i]; p.key == key || p.key == ofAll {
			n--
			got[n] = p
			if p.gap != (entries[n].Gap != nil) {
				r.Fatalf("entry %d from the end: got %+v, want %+v", len(entries)-n, entries[n], p)
			}
		}
	}
	return got
}
