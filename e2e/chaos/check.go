package chaos

import (
	"fmt"
	"math"
	"slices"
)

// Check returns where a client's log departs from what it was owed; see the
// package comment. A violation is reported once, where it begins: what
// follows it is judged from there.
func (h *History) Check(c Client) []Violation {
	w := &walk{history: h, client: &c, ids: map[uint64]string{}, absent: map[uint64]int{}}
	for i, e := range c.Log {
		w.entry = i
		switch e := e.(type) {
		case Connected:
			w.connected(e)
		case Refused:
			w.fail(GaveUp, "status %d, want 200", e.Status)
		case Event:
			w.event(e)
		case Gap:
			w.gap(e)
		case Notice:
			w.control(e.ID, e.Type)
		}
	}
	w.end()
	return slices.DeleteFunc(w.found, func(v Violation) bool {
		return v.Kind == Missing && len(v.records) == 0 // they came late, which is another violation
	})
}

// walk goes through one log.
type walk struct {
	history *History
	client  *Client
	entry   int
	found   []Violation

	ids         map[uint64]string // that the client has had, by sequence
	incarnation string            // that the first of them names
	absent      map[uint64]int    // records missing on this connection: which violation says so

	connections int
	came        Connected // how the connection began

	placed bool   // the client has a place: at
	at     uint64 // the sequence of the last id on this connection, or of the one it came with
	gaps   []Gap  // announced since then
}

func (w *walk) fail(kind Kind, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if w.connections > 0 {
		text += fmt.Sprintf(" (connection %d", w.connections)
		if w.came.To != "" {
			text += " to " + w.came.To
		}
		if w.came.LastEventID != "" {
			text += ", which came with " + w.came.LastEventID
		}
		text += ")"
	}
	w.found = append(w.found, Violation{Client: w.client.Name, Kind: kind, Entry: w.entry, Text: text, log: w.client.Log})
}

// connected begins a connection: what was owed on the last one is void, and
// the id that the client comes with says what is owed now.
func (w *walk) connected(e Connected) {
	w.connections++
	w.came = e
	w.gaps = nil
	clear(w.absent)
	w.placed, w.at = false, 0
	if e.LastEventID == "" {
		return
	}
	sequence, _, err := Sequence(e.LastEventID)
	if err != nil {
		return // said when the id was received
	}
	if w.ids[sequence] != e.LastEventID {
		w.fail(BadLog, "the client came with an id that it never had")
	}
	w.placed, w.at = true, sequence
}

func (w *walk) event(e Event) {
	if w.connections == 0 {
		w.fail(BadLog, "an event without a connection")
	}
	sequence, ok := w.place(e.ID)
	if e.Err != nil {
		w.fail(Corrupted, "%s: %v", e.ID, e.Err)
	}
	if !ok {
		return
	}
	if e.Err == nil {
		sequence = w.compare(e, sequence)
	}
	switch {
	case w.placed && sequence <= w.at:
		w.again(e, sequence)
		return
	case w.placed:
		w.skipped(sequence)
	}
	w.gaps = nil
	w.placed, w.at = true, sequence
}

// place notes an id and returns the sequence in it.
func (w *walk) place(id string) (sequence uint64, ok bool) {
	sequence, incarnation, err := Sequence(id)
	if err != nil {
		w.fail(WrongID, "%v", err)
		return 0, false
	}
	if w.incarnation == "" {
		w.incarnation = incarnation
	} else if incarnation != w.incarnation {
		w.fail(WrongID, "%s is of another stream than %s", id, w.incarnation)
	}
	w.ids[sequence] = id
	return sequence, true
}

// compare checks that an event is the record that its id names, and one of
// the client's. It returns the record's true place, to go on from.
func (w *walk) compare(e Event, sequence uint64) uint64 {
	stored, ok := w.history.at(sequence)
	switch {
	case !ok:
		w.fail(WrongID, "%s came with %v, and the stream holds nothing there", e.ID, e.Record)
	case !stored.same(e.Record):
		w.fail(WrongID, "%s came with %v, and the stream holds %v there", e.ID, e.Record, stored)
	}
	if w.client.Key != "" && e.Record.Key != w.client.Key {
		w.fail(Foreign, "%s came with %v to a client of %s", e.ID, e.Record, w.client.Key)
	}
	if ok && stored.same(e.Record) {
		return sequence
	}
	if truly, ok := w.history.find(e.Record); ok {
		return truly.Sequence
	}
	return sequence
}

// again reports an event that is not behind the client's place.
func (w *walk) again(e Event, sequence uint64) {
	v, late := w.absent[sequence]
	if !late {
		w.fail(Repeated, "%s, when the client was at %d", e.ID, w.at)
		return
	}
	// It was not missing after all.
	w.found[v].records = slices.DeleteFunc(w.found[v].records, func(r Record) bool { return r.Sequence == sequence })
	delete(w.absent, sequence)
	w.fail(OutOfOrder, "%s, when the client was at %d", e.ID, w.at)
}

// skipped checks what is missing between the client's place and a sequence:
// nothing, or what was announced.
func (w *walk) skipped(sequence uint64) {
	missing := w.history.between(w.client.Key, w.at, sequence)
	covered := w.history.between(w.client.Key, w.at, min(w.covered(sequence-1)+1, sequence))
	if uncovered := missing[len(covered):]; len(uncovered) > 0 {
		w.lack(uncovered, "at %d came %d", w.at, sequence)
	}
	w.count(len(covered))
}

// covered returns the sequence up to which the gaps at this place say that
// records are missing, or open if one of them doesn't say.
func (w *walk) covered(open uint64) (until uint64) {
	for _, g := range w.gaps {
		resumed, _, err := Sequence(g.Resumed)
		if err != nil {
			return open
		}
		until = max(until, resumed)
	}
	return min(until, math.MaxUint64-1)
}

// lack reports records as missing.
func (w *walk) lack(records []Record, format string, args ...any) {
	w.fail(Missing, format, args...)
	last := len(w.found) - 1
	w.found[last].records = slices.Clone(records)
	for _, r := range records {
		w.absent[r.Sequence] = last
	}
}

// count checks the numbers of the gaps at this place.
func (w *walk) count(lost int) {
	var sum int64
	known := true
	for _, g := range w.gaps {
		if g.Lost == nil {
			known = false
		} else {
			sum += *g.Lost
		}
	}
	switch {
	case len(w.gaps) == 0:
	case known && sum != int64(lost):
		w.fail(WrongGap, "%d at %d: got %d lost, want %d", len(w.gaps), w.at, sum, lost)
	case sum > int64(lost):
		w.fail(WrongGap, "%d at %d: got %d or more lost, want %d", len(w.gaps), w.at, sum, lost)
	}
}

// reasons that a gap may have.
var reasons = []string{"expired", "recreated", "overflow", "invalid", "unknown"}

func (w *walk) gap(g Gap) {
	w.control(g.ID, "stream.gap")
	if w.client.Complete {
		w.fail(WrongGap, "%s after %d, and nothing may be lost", g.Reason, w.at)
	}
	if !slices.Contains(reasons, g.Reason) {
		w.fail(WrongGap, "got reason %q, want one of %q", g.Reason, reasons)
	}
	if g.Lost != nil && *g.Lost < 0 {
		w.fail(WrongGap, "got %d lost, want a number or null", *g.Lost)
	}
	if g.Resumed != "" {
		if resumed, _, err := Sequence(g.Resumed); err != nil {
			w.fail(WrongGap, "resumed: %v", err)
		} else if w.placed && resumed < w.at {
			w.fail(WrongGap, "it resumes at %s, when the client was at %d", g.Resumed, w.at)
		}
	}
	w.gaps = append(w.gaps, g)
}

// control checks the id of a control event.
func (w *walk) control(id, typ string) {
	if id == "" {
		if w.placed {
			w.fail(WrongID, "%s carries no id, when the client was at %d", typ, w.at)
		}
		return
	}
	sequence, ok := w.place(id)
	switch {
	case !ok:
	case !w.placed:
		w.placed, w.at = true, sequence
	case sequence != w.at:
		w.fail(WrongID, "%s carries %s, when the client was at %d", typ, id, w.at)
	}
}

// end checks that the client has the last of its records. No gap makes up for
// that one, unless it says so.
func (w *walk) end() {
	w.entry = len(w.client.Log)
	if !w.placed {
		if last, ok := w.history.Last(w.client.Key); ok {
			w.lack([]Record{last}, "nothing came")
		}
		return
	}
	after := max(w.at, w.covered(w.at))
	if missing := w.history.between(w.client.Key, after, math.MaxUint64); len(missing) > 0 {
		w.lack(missing, "the log ends at %d", after)
	}
	w.count(len(w.history.between(w.client.Key, w.at, after+1)))
}
