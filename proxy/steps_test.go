package proxy

import (
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sidestream/proxy/eventstream"
)

// TestStepsOfAChange: whatever happens in the middle of a change, no client
// ever applies a step to a state that it doesn't have, and in the end each
// has the document.
func TestStepsOfAChange(t *testing.T) {
	const seeds, steps = 40, 120
	for seed := range uint64(seeds) {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 0))
			table := fmt.Sprintf(`routes: [{path: /d, document: {}, slow: %s, history: {events: %d}, max_event_size: 3000B, linger: %s, backoff: {min: 1ms, max: 1ms}}]`,
				pick(r, "disconnect", "skip", "latest"), 1+r.IntN(4)*r.IntN(10), pick(r, "0s", "1h"))
			inWorld(t, table, func(w *world) {
				run := &documentRun{w: w, Rand: r}
				for range steps {
					run.step()
				}
				run.finish()
			})
		})
	}
}

// A client whose place in a change is lost is past the state that it came
// with, also if that comes back.
func TestChangeThatIsTakenBack(t *testing.T) {
	inWorld(t, `routes: [{path: /d, document: {}, slow: skip, history: {events: 1}, backoff: {min: 1ms, max: 1ms}}]`, func(w *world) {
		d := w.document
		d.replace()
		first, slow := &reader{w: w}, &reader{w: w}
		first.connect(true)
		first.read(cap(first.may))
		synctest.Wait()
		slow.has, slow.id = first.has, first.id
		slow.connect(false)
		slow.read(1) // stream.live
		synctest.Wait()
		for range 10 {
			d.step(true, 2*padding)
		}
		slow.read(cap(slow.may))
		synctest.Wait()
		if slow.has == d.current || slow.has == d.at {
			t.Errorf("the client has %d; want it in the middle, between %d and %d", slow.has, d.current, d.at)
		}
		d.abandon(false)
		after(time.Second)
		d.finish(0)
		for i, c := range []*reader{first, slow} {
			if c.err != "" || c.has != d.current {
				t.Errorf("client %d: got the document %d (%s), want %d", i, c.has, c.err, d.current)
			}
			c.cut()
		}
	})
}

type documentRun struct {
	w *world
	*rand.Rand
	readers []*reader
}

// step does something at random.
func (r *documentRun) step() {
	d := r.w.document
	size := r.IntN(3 * padding / 2)
	if r.IntN(10) == 0 {
		size = 3000 // is refused
	}
	switch op := r.IntN(20); {
	case op < 6:
		d.step(r.IntN(2) == 0, size)
	case op < 9:
		d.finish(size)
	case op == 9:
		d.replace()
	case op == 10:
		d.abandon(r.IntN(2) == 0)
	case op == 11:
		time.Sleep(10 * time.Millisecond) // of the bubble: a failed source runs again
	case op < 14:
		r.readers = append(r.readers, &reader{w: r.w})
	case len(r.readers) == 0:
	default:
		c := r.readers[r.IntN(len(r.readers))]
		switch r.IntN(4) {
		case 0:
			c.cut()
		case 1:
			c.connect(r.IntN(3) == 0)
		default:
			c.read(1 + r.IntN(4))
		}
	}
	synctest.Wait()
}

// finish lets everything calm down, and looks at what the clients have.
func (r *documentRun) finish() {
	for _, c := range r.readers {
		c.connect(false)
		c.read(cap(c.may))
	}
	after(time.Second)
	d := r.w.document
	d.replace()
	d.step(false, 0)
	d.abandon(false)
	r.compare()
	d.step(true, 0)
	d.finish(0)
	r.compare()
	for _, c := range r.readers {
		c.cut()
	}
}

// compare lets all clients read to the end, and looks at what they have.
func (r *documentRun) compare() {
	after(time.Second)
	for i, c := range r.readers {
		c.connect(false) // it may have been sent away
		c.read(cap(c.may))
		after(time.Second)
		if c.err != "" {
			r.w.t.Errorf("client %d: %s", i, c.err)
		}
		if want := r.w.document.current; c.has != want {
			r.w.t.Errorf("client %d: got the document %d, want %d", i, c.has, want)
		}
	}
}

// reader is a client that keeps the document. It reads when it may.
type reader struct {
	w    *world
	body io.ReadCloser
	may  chan struct{} // an element for each event
	done chan struct{} // closed when it reads no more

	has int    // number of the document; 0: none
	id  string // of the last event
	err string // what went wrong
}

// connect opens the stream, unless it is open: as a new client, or with the
// id of the last event.
func (c *reader) connect(anew bool) {
	if c.body != nil {
		select {
		case <-c.done:
			c.cut()
		default:
			return
		}
	}
	var headers []string
	if anew {
		c.has, c.id = 0, ""
	} else if c.id != "" {
		headers = append(headers, "Last-Event-ID: "+c.id)
	}
	c.body = c.w.get("/d", headers...).Body
	c.may, c.done = make(chan struct{}, 10_000), make(chan struct{})
	go c.follow(c.body, c.may, c.done)
}

// read lets the client read so many events.
func (c *reader) read(n int) {
	for range min(n, cap(c.may)-len(c.may)) { // none before it is connected
		c.may <- struct{}{}
	}
}

// cut closes the connection, and leaves the client what it has.
func (c *reader) cut() {
	if c.body == nil {
		return
	}
	_ = c.body.Close()
	close(c.may)
	<-c.done
	c.body, c.may = nil, nil
}

func (c *reader) follow(body io.Reader, may <-chan struct{}, done chan<- struct{}) {
	defer close(done)
	dec := eventstream.NewDecoder(body, nil)
	for range may {
		e, err := dec.Next()
		if err != nil {
			return
		}
		c.apply(&e)
	}
}

// apply does what an application does with an event.
func (c *reader) apply(e *eventstream.Event) {
	text, _, _ := strings.Cut(string(e.Data), " ")
	switch e.Type {
	case "state":
		_, _ = fmt.Sscan(text, &c.has)
	case "change":
		var from, to int
		if _, err := fmt.Sscanf(text, "%d>%d", &from, &to); err != nil || from != c.has {
			c.err = fmt.Sprintf("got the step %s, want one from %d, which it has", text, c.has)
		}
		c.has = to
	}
	c.id = e.ID
}
