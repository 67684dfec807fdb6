package feed_test

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sidestream/adapters"
	"sidestream/proxy/eventstream"
	"sidestream/proxy/feed"
)

// TestModel does at random whatever can be done with a log, and compares it
// at each step with a [model].
func TestModel(t *testing.T) {
	const seeds, steps = 150, 1500
	for seed := range uint64(seeds) {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { newRun(t, seed).steps(steps) })
		})
	}
}

// run is a log, its model, and some places in both.
type run struct {
	*testing.T
	*rand.Rand
	log     *feed.Log
	model   *model
	epoch   string
	readers []place

	incarnation, upstream int // where the source is, if ids have an order
}

// place is a cursor and the index in the model of the item behind it.
type place struct {
	cursor feed.Cursor
	next   int
	begun  bool // it isn't the zero Cursor
}

func newRun(t *testing.T, seed uint64) *run {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 0))
	o := randomOptions(r)
	t.Logf("options: %+v", o)
	return &run{T: t, Rand: r, log: feed.New(o), model: newModel(o), readers: make([]place, 6)}
}

func (r *run) steps(n int) {
	for step := range n {
		if step == n-n/50 {
			r.log.Close()
			r.model.closed = true
		}
		reader := &r.readers[r.IntN(len(r.readers))]
		switch op := r.IntN(20); {
		case op < 7:
			r.append()
		case op == 7:
			r.appendGap()
		case op < 13:
			r.read(reader)
		case op == 13:
			*reader = r.after()
			if r.IntN(2) == 0 {
				*reader = r.beyond()
			}
		case op == 14:
			r.expired()
		case op == 15:
			*reader = r.tail()
		case op == 16:
			*reader = place{r.log.Live(), len(r.model.items), true}
		case op == 17:
			r.latest(reader)
		case op == 18:
			*reader = r.readers[0]
		default:
			time.Sleep(time.Duration(r.IntN(3000)) * time.Millisecond)
		}
		switch r.IntN(20) {
		case 0, 1:
			r.stats()
		case 2:
			r.mark()
		case 3:
			if step > n/4 || r.IntN(20) == 0 { // not always before the first event
				r.log.Settle()
				r.model.settle()
			}
		}
		if r.Failed() {
			r.Fatalf("at step %d", step)
		}
	}
}

func (r *run) append() {
	e := randomEvent(r.Rand)
	if r.model.o.Compare != nil && r.IntN(50) > 0 {
		e.Position = r.position()
	}
	if r.IntN(20) == 0 {
		e.Type = "\n"
	}
	err := r.log.Append(&e)
	switch {
	case r.model.closed:
		if !errors.Is(err, feed.ErrClosed) {
			r.Errorf("append: got %v, want ErrClosed", err)
		}
		return
	case e.Type == "\n":
		if !errors.Is(err, eventstream.ErrType) {
			r.Errorf("append: got %v, want ErrType", err)
		}
		return
	case err != nil:
		r.Errorf("append: got %v, want no error", err)
	}
	if r.epoch == "" { // to be had from the first number that the log gives
		var first [1]feed.Entry
		c := r.log.Tail(1)
		r.log.Read(&c, first[:])
		r.epoch, _, _ = strings.Cut(first[0].ID, "-")
		if e.Position != "" {
			r.epoch = ""
		}
	}
	i := item{id: string(e.Position), key: e.Key, state: e.State != nil, gone: e.State != nil && e.State.Gone}
	if i.id == "" {
		i.id = fmt.Sprintf("%s-%d", r.epoch, r.model.events(0, len(r.model.items))+1)
	}
	i.block = encoded(r.T, i.id, e.Type, e.Data)
	i.latest, i.size = i.block, int64(len(i.key)+len(i.block))
	if i.state && !i.gone && !e.Whole() {
		i.size += int64(len(e.State.Data))
	}
	if i.state && !i.gone {
		i.latest = encoded(r.T, i.id, e.State.Type, e.State.Data)
	}
	r.model.append(i)
}

// position returns the next position of a source whose positions have an
// order, and which is made anew at times.
func (r *run) position() adapters.Position {
	if r.IntN(200) == 0 {
		r.incarnation++
		r.upstream = r.IntN(1000)
	}
	r.upstream += 1 + r.IntN(3)
	return adapters.Position(fmt.Sprintf("%d/%d", r.incarnation, r.upstream))
}

func (r *run) mark() {
	id := fmt.Sprintf("mark%d", r.IntN(3))
	if r.model.o.Compare != nil {
		id = string(r.position())
		r.upstream -= r.IntN(2)
	}
	r.log.Mark(id)
	r.model.setMark(id)
	if got := r.log.Marked(r.log.Live()); got != id {
		r.Errorf("Marked: got %q, want %q", got, id)
	}
}

func (r *run) appendGap() {
	g := feed.Gap{Reason: adapters.LostUnknown, Lost: r.Int64N(10)}
	restart := r.IntN(10) == 0
	add := r.log.AppendGap
	if restart {
		add = r.log.Restart
	}
	err := add(g)
	if want := r.model.closed; errors.Is(err, feed.ErrClosed) != want {
		r.Errorf("append gap: got %v, want ErrClosed: %t", err, want)
	}
	switch {
	case err != nil:
	case restart:
		r.model.beginAnew(g)
	default:
		r.model.append(item{gap: &g})
	}
}

func (r *run) read(p *place) {
	buf, before, m := make([]feed.Entry, 1+r.IntN(10)), p.cursor, r.model
	n, changed, err := r.log.Read(&p.cursor, buf)
	if p.next < m.first {
		var overrun *feed.OverrunError
		want := m.events(p.next, m.first)
		if !errors.As(err, &overrun) || overrun.Lost != want || p.cursor != before {
			r.Errorf("read at %d: got %v, want OverrunError and %d lost", p.next, err, want)
			return
		}
		*p = place{overrun.Resume, m.first, true}
		return
	}
	if want := min(len(buf), len(m.items)-p.next); n != want {
		r.Fatalf("read at %d: got %d entries, want %d", p.next, n, want)
	}
	for i, e := range buf[:n] {
		r.compare(e, p.next+i, m.items[p.next+i].block)
	}
	p.next, p.begun = p.next+n, p.begun || n > 0
	if drained := n == 0; errors.Is(err, io.EOF) != (drained && m.closed) || (changed != nil) != (drained && !m.closed) {
		r.Errorf("read of %d entries: got %v, %v with the log closed: %t", n, changed, err, m.closed)
	}
}

// compare compares an entry with the item that it has to be.
func (r *run) compare(e feed.Entry, at int, block string) {
	i := r.model.items[at]
	same := e.ID == i.id && string(e.Block) == block && e.At.Equal(i.at) && (e.Gap == nil) == (i.gap == nil)
	if !same || e.Gap != nil && *e.Gap != *i.gap {
		r.Errorf("entry %d: got %+v, want %+v", at, e, i)
	}
}

func (r *run) after() place {
	id := r.id()
	c, ok := r.log.After(id)
	r.model.trim()
	next, want := r.model.after(id)
	return r.place("After", id, c, next, ok, want)
}

func (r *run) beyond() place {
	id := r.id()
	c, ok := r.log.Beyond(id)
	r.model.trim()
	next, want := r.model.beyond(id)
	return r.place("Beyond", id, c, next, ok, want)
}

func (r *run) place(method, id string, c feed.Cursor, next int, ok, want bool) place {
	if ok != want {
		r.Fatalf("%s(%q): got %t, want %t", method, id, ok, want)
	}
	if !ok {
		return place{}
	}
	return place{c, next, true}
}

func (r *run) expired() {
	id := r.id()
	lost, ok := int64(0), false
	if e := r.log.Expired(id); e != nil {
		lost, ok = e.Lost, true
	}
	r.model.trim()
	n, wantOK, want := int64(0), false, int64(0)
	if rest, numbered := strings.CutPrefix(id, r.epoch+"-"); numbered && r.epoch != "" {
		fmt.Sscan(rest, &n)
		gone := r.model.events(0, r.model.first)
		if wantOK = n <= gone; wantOK {
			want = gone - n
		}
	}
	if lost != want || ok != wantOK {
		r.Errorf("Expired(%q): got %d, %t, want %d, %t", id, lost, ok, want, wantOK)
	}
}

// id returns the id of an event, more often than not one of the last ones.
func (r *run) id() string {
	items := r.model.items
	switch n := len(items); {
	case r.model.o.Compare != nil && r.IntN(3) > 0:
		near := max(0, r.upstream-r.IntN(60))
		return fmt.Sprintf("%d/%d", r.incarnation-r.IntN(20)/19, near+r.IntN(5))
	case r.IntN(10) == 0:
		return r.model.mark
	case n > 0:
		return items[n-1-r.IntN(min(n, 50))].id
	}
	return "none"
}

func (r *run) tail() place {
	n := r.IntN(50) - 1
	c := r.log.Tail(n)
	r.model.trim()
	return place{c, r.model.tail(n), true}
}

func (r *run) latest(p *place) {
	entries, next, complete, ok := r.log.Latest(p.cursor, nil)
	want, wantNext, wantComplete, wantOK := r.model.latest(p.next, p.cursor == feed.Cursor{})
	if len(entries) != len(want) || complete != wantComplete || ok != wantOK {
		r.Fatalf("Latest: got %d entries, complete %t, ok %t, want %d, %t, %t", len(entries), complete, ok, len(want), wantComplete, wantOK)
	}
	for i, e := range entries {
		r.compare(e, want[i], r.model.items[want[i]].latest)
	}
	*p = place{next, wantNext, ok || p.begun}
	if begun := next != (feed.Cursor{}); begun != p.begun {
		r.Errorf("Latest: got the zero Cursor: %t, want %t", !begun, !p.begun)
	}
}

func (r *run) stats() {
	got, m := r.log.Stats(), r.model
	m.trim()
	want := feed.Stats{Events: int(m.events(m.first, len(m.items))), Keys: len(m.live)}
	for _, i := range m.items[m.first:] {
		want.Bytes += int64(len(i.block))
	}
	if got != want {
		r.Errorf("stats: got %+v, want %+v", got, want)
	}
}
