package chaos

import (
	"fmt"
	"slices"
)

// Check returns where a client's log departs from what it was owed; see the
// package comment. A violation is reported once, where it begins: what
// follows it is judged from there.
func (h *History) Check(c Client) []Violation {
	w := &walk{history: h, client: &c, ids: map[string]place{}, absent: map[spot]int{}}
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
		case Added:
			w.added(e.Partition)
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

	ids         map[string]place // that the client has had, and where it was
	origins     []*origin        // of all places so far
	incarnation string           // that the first id names, if they aren't opaque
	absent      map[spot]int     // records missing on this connection: which violation says so

	connections int
	came        Connected // how the connection began

	id   string // the last one on this connection, or that it came with; empty: none
	at   place
	gaps gaps // announced at this place
}

// A spot is where a record is.
type spot struct {
	partition int
	sequence  uint64
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
	w.leaveGaps()
	w.connections++
	w.came, w.id = e, ""
	clear(w.absent)
	had, ok := w.ids[e.LastEventID]
	if !ok || !w.client.Opaque {
		w.begin()
	}
	if e.LastEventID == "" {
		return
	}
	switch {
	case w.client.Opaque && ok:
		w.at = had
	case !w.client.Opaque:
		sequence, _, err := Sequence(e.LastEventID)
		if err != nil {
			return // said when the id was received
		}
		w.at = w.at.with(0, sequence)
	}
	w.id = e.LastEventID
	if !ok {
		w.fail(BadLog, "the client came with an id that it never had")
	}
}

// begin has the client somewhere.
func (w *walk) begin() {
	var fresh []*origin
	w.at, fresh = begin(max(1, len(w.history.all)))
	w.origins = append(w.origins, fresh...)
}

func (w *walk) event(e Event) {
	if w.connections == 0 {
		w.fail(BadLog, "an event without a connection")
	}
	if w.at == nil {
		w.begin()
	}
	here, ok := w.spot(e)
	if e.Err != nil {
		w.fail(Corrupted, "%s: %v", e.ID, e.Err)
	}
	if !ok {
		return
	}
	if e.Err == nil {
		here = w.compare(e, here)
	}
	switch at, known := w.at.at(here.partition); {
	case known && here.sequence <= at:
		w.reach(e.ID, w.at)
		w.again(e, here)
		return
	case known:
		w.skipped(at, here)
	default:
		w.first(here)
	}
	w.reach(e.ID, w.at.with(here.partition, here.sequence))
}

// spot returns where an event says that its record is.
func (w *walk) spot(e Event) (here spot, ok bool) {
	if !w.client.Opaque {
		sequence, ok := w.sequence(e.ID)
		return spot{0, sequence}, ok
	}
	here = spot{e.Record.Partition, e.Record.Sequence}
	if e.ID == "" {
		w.fail(WrongID, "%v came without an id", e.Record)
	}
	if here.sequence == 0 || here.partition < 0 || here.partition >= len(w.at) {
		if e.Err == nil {
			w.fail(WrongID, "%s came with %v, of which the stream has no place", e.ID, e.Record)
		}
		w.reach(e.ID, w.at)
		return here, false
	}
	return here, true
}

// sequence returns the sequence in an id that isn't opaque.
func (w *walk) sequence(id string) (sequence uint64, ok bool) {
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
	return sequence, true
}

// reach has the client at a place, of which it has the id. An id that it had
// before has to be that of the same place.
func (w *walk) reach(id string, at place) {
	if before, had := w.ids[id]; had && w.client.Opaque {
		if partition, differ := at.differs(before); differ {
			was, _ := before.at(partition)
			is, _ := at.at(partition)
			w.fail(WrongID, "%s came at %d of partition %d, and once at %d", id, is, partition, was)
		}
	}
	w.id, w.at = id, at
	w.ids[id] = at
}

// first notes what the first record of a partition says of where the client
// began.
func (w *walk) first(here spot) {
	if !w.client.Opaque {
		w.gaps = gaps{}
		return
	}
	o := w.at[here.partition].origin
	o.known, o.at = true, here.sequence-1
	w.closeGap(here)
}

// compare checks that an event is the record that should be there, and one of
// the client's. It returns the record's true place, to go on from.
func (w *walk) compare(e Event, here spot) spot {
	stored, ok := w.history.at(here.partition, here.sequence)
	switch {
	case w.history.aborted[e.Record.name()]:
		w.fail(Aborted, "%s came with %v", e.ID, e.Record)
	case !ok:
		w.fail(WrongID, "%s came with %v, and the stream holds nothing there", e.ID, e.Record)
	case !stored.same(e.Record):
		w.fail(WrongID, "%s came with %v, and the stream holds %v there", e.ID, e.Record, stored)
	}
	if w.client.Key != "" && e.Record.Key != w.client.Key {
		w.fail(Foreign, "%s came with %v to a client of %s", e.ID, e.Record, w.client.Key)
	}
	if ok && stored.same(e.Record) {
		return here
	}
	if truly, ok := w.history.find(e.Record); ok {
		return spot{truly.Partition, truly.Sequence}
	}
	return here
}

// again reports an event that is not behind the client's place.
func (w *walk) again(e Event, here spot) {
	at, _ := w.at.at(here.partition)
	v, late := w.absent[here]
	if !late {
		w.fail(Repeated, "%s with %v, when the client was at %d", e.ID, e.Record, at)
		return
	}
	// It was not missing after all.
	w.found[v].records = slices.DeleteFunc(w.found[v].records, func(r Record) bool {
		return spot{r.Partition, r.Sequence} == here
	})
	delete(w.absent, here)
	w.fail(OutOfOrder, "%s with %v, when the client was at %d", e.ID, e.Record, at)
}

// skipped checks what is missing between the client's place in a partition and
// a record that came: nothing, or what was announced.
func (w *walk) skipped(at uint64, here spot) {
	missing := w.history.between(here.partition, w.client.Key, at, here.sequence)
	covered := 0
	if !w.client.Opaque { // otherwise, nobody knows where the client is behind a gap
		until := min(w.gaps.until(here.sequence-1)+1, here.sequence)
		covered = len(w.history.between(here.partition, w.client.Key, at, until))
	}
	if uncovered := missing[covered:]; len(uncovered) > 0 {
		w.lack(uncovered, "at %d came %d", at, here.sequence)
	}
	if !w.client.Opaque {
		w.gaps.lacking = covered
		w.settleGaps()
	}
}

// lack reports records as missing.
func (w *walk) lack(records []Record, format string, args ...any) {
	w.fail(Missing, format, args...)
	last := len(w.found) - 1
	w.found[last].records = slices.Clone(records)
	for _, r := range records {
		w.absent[spot{r.Partition, r.Sequence}] = last
	}
}

// control checks the id of a control event.
func (w *walk) control(id, typ string) {
	if w.at == nil {
		w.begin()
	}
	switch {
	case id == "" && w.id != "":
		w.fail(WrongID, "%s carries no id, when the client had %s", typ, w.id)
	case id == "", id == w.id:
	case w.client.Opaque && w.id != "":
		w.fail(WrongID, "%s carries %s, when the client had %s", typ, id, w.id)
	case w.client.Opaque:
		w.reach(id, w.at)
	default:
		w.controlSequence(id, typ)
	}
}

func (w *walk) controlSequence(id, typ string) {
	sequence, ok := w.sequence(id)
	if !ok {
		return
	}
	at, placed := w.at.at(0)
	switch {
	case !placed:
		w.reach(id, w.at.with(0, sequence))
	case sequence != at:
		w.fail(WrongID, "%s carries %s, when the client was at %d", typ, id, at)
	}
	w.ids[id] = w.at.with(0, sequence)
}

// added notes that a partition is new to all who have an id.
func (w *walk) added(partition int) {
	for _, o := range w.origins {
		placeless := w.id == "" && w.at != nil && partition < len(w.at) && w.at[partition].origin == o
		if o.partition == partition && !o.known && !placeless {
			o.known = true
		}
	}
}

// end checks that the client has the last of its records in each partition. No
// gap makes up for that one, unless it says so.
func (w *walk) end() {
	w.entry = len(w.client.Log)
	for partition := range w.history.all {
		last, ok := w.history.Last(partition, w.client.Key)
		if !ok {
			continue
		}
		at, placed := w.at.at(partition)
		if !placed {
			w.lack([]Record{last}, "nothing came")
			continue
		}
		after := at
		if !w.client.Opaque {
			after = max(at, w.gaps.until(at))
			w.gaps.lacking = len(w.history.between(0, w.client.Key, at, after+1))
			w.settleGaps()
		}
		if missing := w.history.between(partition, w.client.Key, after, last.Sequence+1); len(missing) > 0 {
			w.lack(missing, "the log ends at %d", after)
		}
	}
	w.leaveGaps()
}
