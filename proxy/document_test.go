package proxy

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing/synctest"

	"sidestream/adapters"
)

// document is an upstream with one document, which has a number that it never
// had before whenever it changes. A change may take several steps, and a test
// says when each of them is taken. Every event is padded, so that it takes
// few of them to fill what stands between server and client.
type document struct {
	mu      sync.Mutex
	newest  int // number that was ever given
	current int // number of the state; 0: none yet
	at      int // number that the steps so far lead to
	next    chan adapters.Event
	fail    chan error
}

func newDocument() *document {
	return &document{next: make(chan adapters.Event), fail: make(chan error)}
}

const padding = 2000

func state(number int) *adapters.State {
	return &adapters.State{Type: "state", Data: fmt.Appendf(nil, "%d %s", number, strings.Repeat("x", padding))}
}

func position(number int) adapters.Position { return adapters.Position(fmt.Sprint("d", number)) }

// step takes the next step of a change. It has a position of its own or none.
func (d *document) step(own bool, size int) {
	e := d.change(size)
	if !own {
		e.Position = ""
	}
	d.send(e)
}

// finish takes the last step of a change.
func (d *document) finish(size int) {
	e := d.change(size)
	e.State = state(d.newest)
	d.settle()
	d.send(e)
}

// replace makes the document another one, which is sent as a whole.
func (d *document) replace() {
	d.change(0)
	d.settle()
	s := state(d.newest)
	d.send(adapters.NewState(position(d.newest), s.Type, s.Data))
}

// settle makes a state of where the steps have led to.
func (d *document) settle() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.current = d.at
}

// abandon lets the source fail, in the middle of a change or not. The document
// is then the one before the change, or another.
func (d *document) abandon(other bool) {
	d.mu.Lock()
	if other {
		d.newest++
		d.current = d.newest
	}
	d.at = d.current
	d.mu.Unlock()
	select {
	case d.fail <- adapters.Transient("interrupted", nil):
	default: // it isn't running
	}
	synctest.Wait()
}

// change returns a change from one number to the next.
func (d *document) change(size int) adapters.Event {
	d.mu.Lock()
	defer d.mu.Unlock()
	from := d.at
	d.newest++
	d.at = d.newest
	return adapters.Event{
		Type: "change", Position: position(d.at),
		Data: fmt.Appendf(nil, "%d>%d %s", from, d.at, strings.Repeat("x", size)),
	}
}

// send hands e to the source, if it runs; otherwise that will start from the
// current state.
func (d *document) send(e adapters.Event) {
	select {
	case d.next <- e:
	default:
	}
	synctest.Wait()
}

func (d *document) adapter() adapters.Adapter {
	return adapters.New("document", func() struct{} { return struct{}{} },
		func(struct{}, adapters.Route) (adapters.Factory, error) {
			return capable{Factory: documentFactory{d}, can: adapters.Capabilities{Positions: true, Stateful: true}}, nil
		})
}

type documentFactory struct{ *document }

func (documentFactory) Capabilities() adapters.Capabilities { return adapters.Capabilities{} }

func (f documentFactory) Open(adapters.Vars, adapters.Env) (adapters.Source, error) {
	return f.document, nil
}

// Run implements [adapters.Source].
func (d *document) Run(ctx context.Context, after adapters.Position, emit func(adapters.Event) error) error {
	d.mu.Lock()
	current := d.current
	d.at = current // what another Run has begun stays undone
	d.mu.Unlock()
	if pos := position(current); current > 0 && after != pos {
		s := state(current)
		if err := emit(adapters.NewState(pos, s.Type, s.Data)); err != nil {
			return err
		}
	}
	if err := emit(adapters.Event{Live: true, Position: position(current)}); err != nil {
		return err
	}
	for {
		select {
		case e := <-d.next:
			if err := emit(e); err != nil {
				return err
			}
		case err := <-d.fail:
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
