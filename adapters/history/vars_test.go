package history

import (
	"errors"
	"strconv"
	"testing"

	"sidestream/adapters"
)

// sources are those of a route with the variable "id".
type sources struct {
	by  map[string]*upstream
	can adapters.Capabilities
}

func (f sources) Capabilities() adapters.Capabilities { return f.can }

func (f sources) Open(vars adapters.Vars, _ adapters.Env) (adapters.Source, error) {
	return f.by[vars["id"]], nil
}

// TestVariables: sources of one route share a stream, and nothing else: each has
// its own events, and as many of them. What was dropped of one's own is told.
func TestVariables(t *testing.T) {
	for name, can := range map[string]adapters.Capabilities{
		"plain": {}, "state": {Positions: true, Stateful: true},
	} {
		t.Run(name, func(t *testing.T) {
			f := sources{by: map[string]*upstream{"a": newUpstream(can), "b": newUpstream(can)}, can: can}
			kept := newReplica(t, nil).keep(f, func(k *adapters.Keep) { k.Vars, k.Events = []string{"id"}, 5 })
			if kept.Capabilities().Always {
				t.Error("the route's one source is to run always, and it has many")
			}
			of := func(id string) (adapters.Source, *running) {
				s, err := kept.Open(adapters.Vars{"id": id}, adapters.Env{})
				if err != nil {
					t.Fatal(err)
				}
				r := start(t, s, "")
				r.awaitLive()
				return s, r
			}
			send := func(id, data string) {
				t.Helper()
				e := adapters.Event{Data: []byte(data)}
				if can.Stateful {
					e = adapters.NewState(adapters.Position(data), "", []byte(data))
				}
				if err := f.by[id].send(t, e); err != nil {
					t.Fatal(err)
				}
			}
			a, ofA := of("a")
			b, ofB := of("b")
			send("b", "quiet")
			quiet := ofB.want("quiet").Position
			var at []adapters.Position
			for i := range 10 {
				send("a", strconv.Itoa(i))
				at = append(at, ofA.want(strconv.Itoa(i)).Position)
			}
			// b has lost nothing, however much a has to say.
			again := start(t, b, quiet)
			again.awaitLive()
			send("b", "again")
			again.want("again")
			// Of a, the newest five are there.
			late := start(t, a, at[1])
			if can.Stateful {
				var lost *adapters.PositionLostError
				if err := <-late.result; !errors.As(err, &lost) || lost.Reason != adapters.LostExpired {
					t.Errorf("Run: got %v, want that the position has expired", err)
				}
				return
			}
			if g := late.next("a gap", func(e adapters.Event) bool { return isGap(e) || isEvent(e) }); g.Gap == nil || g.Gap.Reason != adapters.LostExpired {
				t.Errorf("got %+v, want a gap", g)
			}
			late.want("5", "6", "7", "8", "9")
		})
	}
}
