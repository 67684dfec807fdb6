package chaos

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
)

// A State is what a stream comes to that keeps the newest record of each key.
// Make one with [NewState].
type State struct {
	newest       map[string]Record // of each key; it may take the key away
	acknowledged map[name]Record
}

// NewState returns the state of a stream that holds these records, and how the
// broker has failed its producers: with a record that it acknowledged although
// the newest of its key is an older one.
func NewState(stored, acknowledged []Record) (*State, []Violation) {
	s := &State{newest: map[string]Record{}, acknowledged: map[name]Record{}}
	for _, r := range stored {
		if before, ok := s.newest[r.Key]; !ok || r.Sequence > before.Sequence {
			s.newest[r.Key] = r
		}
	}
	promised := map[string]Record{} // the newest of each key
	for _, r := range acknowledged {
		s.acknowledged[r.name()] = r
		if r.Sequence > promised[r.Key].Sequence {
			promised[r.Key] = r
		}
	}
	var found []Violation
	for _, key := range slices.Sorted(maps.Keys(promised)) {
		r := promised[key]
		if newest := s.newest[key]; newest.Sequence < r.Sequence || newest.Partition != r.Partition {
			found = append(found, Violation{
				Client: "the stream", Kind: Missing, Entry: -1,
				Text: fmt.Sprintf("%v was acknowledged, and the newest of its key is %v", r, newest),
			})
		}
	}
	return s, found
}

// Check returns where a client's log departs from what it was owed: values of
// each key from older to newer, each once on a connection, and in the end what
// the stream holds.
func (s *State) Check(c Client) []Violation {
	f := &fold{state: s, client: &c, ids: map[string]*step{}}
	for i, e := range c.Log {
		f.entry = i
		switch e := e.(type) {
		case Connected:
			f.connected(e)
		case Refused:
			f.fail(GaveUp, "status %d, want 200", e.Status)
		case Event:
			f.event(e)
		case Gap:
			f.gap(e)
		case Notice:
			f.ids[e.ID] = f.last
		}
	}
	f.end()
	return f.found
}

// fold makes the state of a client of its log.
type fold struct {
	state  *State
	client *Client
	entry  int
	found  []Violation

	ids  map[string]*step // that the client has had, and what led there
	last *step
	held map[string]Record // what the steps up to there come to; keys that are gone included
}

// A step is a record that a client had, and those before it.
type step struct {
	before *step
	record Record
}

func (f *fold) fail(kind Kind, format string, args ...any) {
	f.found = append(f.found, Violation{
		Client: f.client.Name, Kind: kind, Entry: f.entry, Text: fmt.Sprintf(format, args...), log: f.client.Log,
	})
}

// connected has the client hold what it held when it had the id that it comes
// with: nothing, if there is none.
func (f *fold) connected(e Connected) {
	had, ok := f.ids[e.LastEventID]
	if e.LastEventID != "" && !ok {
		f.fail(BadLog, "the client came with %s, an id that it never had", e.LastEventID)
	}
	if e.LastEventID == "" {
		had = nil
	}
	f.last, f.held = had, map[string]Record{}
	for s := had; s != nil; s = s.before {
		if _, newer := f.held[s.record.Key]; !newer {
			f.held[s.record.Key] = s.record
		}
	}
}

func (f *fold) event(e Event) {
	r := e.Record
	if f.held == nil {
		f.fail(BadLog, "an event without a connection")
		f.held = map[string]Record{}
	}
	if e.Err != nil {
		f.fail(Corrupted, "%s: %v", e.ID, e.Err)
		return
	}
	before, ok := f.held[r.Key]
	acknowledged, known := f.state.acknowledged[r.name()]
	switch {
	case r.Gone: // it doesn't say where it is
		r.Partition, r.Sequence = before.Partition, before.Sequence
	case known && (acknowledged.Partition != r.Partition || acknowledged.Sequence != r.Sequence):
		f.fail(WrongID, "%s came with %v, which is stored as %v", e.ID, r, acknowledged)
	case ok && r.Sequence == before.Sequence && !before.Gone:
		f.fail(Repeated, "%s with %v", e.ID, r)
	case ok && r.Sequence <= before.Sequence:
		f.fail(OutOfOrder, "%s with %v after %v", e.ID, r, before)
	}
	f.held[r.Key] = r
	f.last = &step{f.last, r}
	f.ids[e.ID] = f.last
}

// gap has the client hold nothing, if what follows is the whole state.
func (f *fold) gap(g Gap) {
	if f.client.Complete {
		f.fail(WrongGap, "%s at %s, and nothing may be lost", g.Reason, g.ID)
	}
	if slices.Contains([]string{"expired", "recreated", "unknown"}, g.Reason) {
		f.last, f.held = nil, map[string]Record{}
	}
	f.ids[g.ID] = f.last
}

// end compares what the client holds with what the stream holds.
func (f *fold) end() {
	f.entry = len(f.client.Log)
	keys := slices.AppendSeq(slices.Collect(maps.Keys(f.held)), maps.Keys(f.state.newest))
	slices.SortFunc(keys, cmp.Compare)
	for _, key := range slices.Compact(keys) {
		got, want := f.held[key], f.state.newest[key]
		_, has := f.held[key]
		has = has && !got.Gone
		_, wanted := f.state.newest[key]
		wanted = wanted && !want.Gone
		switch {
		case has && !wanted:
			f.fail(WrongState, "it holds %v, and the stream holds nothing of the key", got)
		case wanted && !has:
			f.fail(WrongState, "it holds nothing of %s, and the stream holds %v", key, want)
		case wanted && got != want:
			f.fail(WrongState, "it holds %v, and the stream holds %v", got, want)
		}
	}
}
