package feed_test

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sidestream/adapters"
	"sidestream/proxy/eventstream"
	"sidestream/proxy/feed"
)

// TestKeyedModel does at random whatever can be done with a Keyed, and
// compares it at each step with a [keyedModel].
func TestKeyedModel(t *testing.T) {
	const seeds, steps = 80, 600
	for seed := range uint64(seeds) {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { newKeyedRun(t, seed).steps(steps) })
		})
	}
}

// keyedRun is a Keyed, its model, and some readers of both.
type keyedRun struct {
	*testing.T
	*rand.Rand
	keyed   *feed.Keyed
	model   *keyedModel
	readers []keyedReader
	ids     int // how many positions there were

	upstream int // where the source is, if ids have an order
}

type keyedReader struct {
	key string
	log *feed.Log // nil: reads nothing
	place
}

func newKeyedRun(t *testing.T, seed uint64) *keyedRun {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 1))
	o := feed.KeyedOptions{
		Log:  randomOptions(r),
		Idle: feed.Idle{Events: 1 + r.IntN(60), Bytes: 1 << 20},
	}
	if r.IntN(3) == 0 {
		o.Idle.Bytes = 1 + r.Int64N(3000)
	}
	if r.IntN(3) == 0 {
		o.Idle.Age = 10 * time.Second
	}
	t.Logf("options: %+v", o)
	return &keyedRun{T: t, Rand: r, keyed: feed.NewKeyed(o), model: newKeyedModel(o), readers: make([]keyedReader, 6)}
}

func (r *keyedRun) steps(n int) {
	quiet := r.IntN(n / 2) // for how long the source doesn't settle
	for step := range n {
		if step == n-n/50 {
			r.keyed.Close()
			r.model.closed = true
			for _, k := range r.model.keys {
				k.closed = true
			}
		}
		reader := &r.readers[r.IntN(len(r.readers))]
		switch op := r.IntN(20); {
		case op < 8:
			r.append()
		case op == 8:
			if r.IntN(3) == 0 {
				r.appendGap()
			}
		case op == 9:
			r.mark()
		case op < 13:
			r.acquire(reader)
		case op < 15:
			r.release(reader)
		case op == 15:
			r.read(reader)
		case op == 16:
			r.latest(reader)
		case op == 17:
			if step > quiet {
				r.keyed.Settle()
				r.model.settle()
			}
		case op == 18:
			time.Sleep(time.Duration(r.IntN(3000)) * time.Millisecond)
		default:
			r.stats()
		}
		if r.Failed() {
			r.Fatalf("at step %d", step)
		}
	}
	for i := range r.readers {
		r.release(&r.readers[i])
	}
	r.stats()
}

func (r *keyedRun) key() string { return string(rune('A' + r.IntN(8))) }

// position returns the next position, or none, by what the options are for.
func (r *keyedRun) position() string {
	r.ids++
	switch {
	case r.model.o.Log.Compare != nil:
		r.upstream += 1 + r.IntN(3)
		return fmt.Sprintf("0/%d", r.upstream)
	case r.model.o.Log.Keys%3 == 0 || r.IntN(20) == 0: // without an order
		return fmt.Sprintf("x%d", r.ids)
	}
	return ""
}

func (r *keyedRun) append() {
	key, e := r.key(), randomEvent(r.Rand)
	e.Position = adapters.Position(r.position())
	if r.IntN(20) == 0 {
		e.Type = "\n"
	}
	err := r.keyed.Append(key, &e)
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
	if r.model.epoch == "" && e.Position == "" { // to be had from the first number
		l := r.keyed.Acquire(key)
		r.model.epoch, _, _ = strings.Cut(l.Marked(l.Live()), "-")
		r.keyed.Release(key)
	}
	i := item{id: string(e.Position), key: e.Key, state: e.State != nil, gone: e.State != nil && e.State.Gone}
	if i.id == "" {
		i.id = r.model.id(r.model.events(len(r.model.all)) + 1)
	}
	i.block = encoded(r.T, i.id, e.Type, e.Data)
	i.latest, i.size = i.block, int64(len(i.key)+len(i.block))
	if i.state && !i.gone {
		i.latest = encoded(r.T, i.id, e.State.Type, e.State.Data)
		if !e.Whole() {
			i.size += int64(len(e.State.Data))
		}
	}
	r.model.append(key, i)
}

func (r *keyedRun) appendGap() {
	g := feed.Gap{Reason: adapters.LostUnknown, Lost: r.Int64N(10) - 1}
	key, kind := r.key(), r.IntN(4)
	var err error
	switch kind {
	case 0:
		err = r.keyed.Restart(g)
	case 1, 2:
		err = r.keyed.AppendGapTo(key, g)
	default:
		err = r.keyed.AppendGap(g)
	}
	if want := r.model.closed; errors.Is(err, feed.ErrClosed) != want {
		r.Errorf("append gap: got %v, want ErrClosed: %t", err, want)
	}
	if ofOne := kind == 1 || kind == 2; !ofOne && g.Lost > 0 {
		g.Lost = -1
	}
	switch {
	case err != nil:
	case kind == 0:
		r.model.restart(g)
	case kind == 3:
		r.model.appendGap(g)
	default:
		r.model.appendGapTo(key, g)
	}
}

func (r *keyedRun) mark() {
	id := r.position()
	switch newest := r.model.newest(len(r.model.all)); {
	case r.IntN(3) == 0 && newest != "":
		id = newest
	case id == "":
		id = fmt.Sprintf("mark%d", r.ids)
	}
	r.keyed.Mark(id)
	r.model.setMark(id)
}

// acquire makes reader, if it reads nothing, one of some key: from a place
// after an id if there is one, or else from the start.
func (r *keyedRun) acquire(reader *keyedReader) {
	if reader.log == nil {
		key := r.key()
		r.model.at(key).readers++
		*reader = keyedReader{key: key, log: r.keyed.Acquire(key)}
	}
	if got := r.keyed.Marked(reader.key, reader.log.Live()); got != r.model.newest(len(r.model.all)) {
		r.Errorf("Marked at the live place: got %q, want %q", got, r.model.newest(len(r.model.all)))
	}
	id, k := r.id(), r.model.keys[reader.key]
	c, ok := r.keyed.After(reader.key, id)
	k.trim()
	next, want := r.model.after(reader.key, id)
	if ok != want {
		r.Fatalf("After(%s, %q): got %t, want %t", reader.key, id, ok, want)
	}
	if !ok {
		reader.place = place{}
		return
	}
	reader.place = place{c, next, true}
	events, gaps := r.model.missed(reader.key, id)
	gotEvents := k.events(next, len(k.items))
	if gotGaps := len(k.items) - next - int(gotEvents); int(gotEvents) < events || gotGaps < gaps {
		r.Fatalf("After(%s, %q): got the place before %d events and %d gaps, want %d and %d at least",
			reader.key, id, gotEvents, gotGaps, events, gaps)
	}
}

// id returns an id that some reader may have.
func (r *keyedRun) id() string {
	all := r.model.all
	switch n := len(all); {
	case n == 0:
		return "none"
	case r.model.o.Log.Compare != nil && r.IntN(2) == 0:
		return fmt.Sprintf("0/%d", max(0, r.upstream-r.IntN(80)+3))
	default:
		return all[n-1-r.IntN(min(n, 50))].id
	}
}

func (r *keyedRun) release(reader *keyedReader) {
	if reader.log == nil {
		return
	}
	r.keyed.Release(reader.key)
	r.model.release(reader.key)
	*reader = keyedReader{}
}

// read reads with the check that a run of a single log has.
func (r *keyedRun) read(reader *keyedReader) {
	if reader.log == nil {
		return
	}
	r.single(reader).read(&reader.place)
}

func (r *keyedRun) latest(reader *keyedReader) {
	if reader.log == nil {
		return
	}
	r.single(reader).latest(&reader.place)
}

func (r *keyedRun) single(reader *keyedReader) *run {
	return &run{T: r.T, Rand: r.Rand, log: reader.log, model: r.model.keys[reader.key].model}
}

func (r *keyedRun) stats() {
	got := r.keyed.Stats()
	r.model.trim()
	if want := r.model.stats(); got != want {
		r.Errorf("stats: got %+v, want %+v, keys %v", got, want, slices.Collect(maps.Keys(r.model.keys)))
	}
	id := r.id()
	n, numbered := r.model.number(id)
	if got, want := r.keyed.Expired(id), numbered && n <= r.model.expired; got != want {
		r.Errorf("Expired(%q): got %t, want %t", id, got, want)
	}
}
