package feed

// Latest returns the newest event of each key among those appended after c,
// in log order and appended to buf, and the place to read on from: right
// behind the last event that was one of those. With the zero Cursor this is
// the stream's current state, which a client is given before it reads on: no
// key that is gone ([adapters.State].Gone) is part of it. With any other the
// events that took keys away are among the rest, since the reader may have
// what they take.
//
// For an event with State, what is returned is the state, under the event's
// id; it is encoded when it is first asked for, and only once. For any other,
// and for one that takes its key away, it is the event's own block. Events
// without State are kept only with Options.Latest.
//
// complete is false if something after c may be missing from what the reader
// is given: events of keys that had to be given up because of Options.Keys or
// Options.KeyBytes, evicted entries that belong to no key, and gaps; those
// before the state that the zero Cursor gives count only if events carry no
// State, and if something older than they are is part of it.
//
// ok is false, and next is c, if there is no state yet to start from, or none
// to go on from: the first events of a change that isn't complete yet are
// evicted. There is one as soon as the next event with State is appended, and
// one of no entries once [Log.Settle] was called before any event. With
// Options.Latest ok is always true.
func (l *Log) Latest(c Cursor, buf []Entry) (entries []Entry, next Cursor, complete, ok bool) {
	entries, due, next, complete, ok := l.latest(c, buf)
	for _, d := range due { // without holding mu
		entries[d.index].Block = d.state.block()
	}
	return entries, next, complete, ok
}

// unencoded is an entry whose state takes the place of its block.
type unencoded struct {
	index int
	state *state
}

func (l *Log) latest(c Cursor, buf []Entry) (entries []Entry, due []unencoded, next Cursor, complete, ok bool) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	next = c
	if next.next < l.stateAt.next {
		next = l.stateAt
	}
	// What follows the newest State is a change that isn't complete.
	cut := next.events < l.evicted
	if !l.o.Latest && (cut || !l.hasState && !l.settled) {
		return buf, nil, c, false, false
	}
	complete = l.keys.complete(c)
	if c == (Cursor{}) {
		// What is older than a gap may have been replaced there, unless what
		// follows makes up for it.
		skipped := !l.hasState && l.lastGap.next <= next.next && l.keys.before(l.lastGap)
		complete = complete && !l.lacking && !skipped
	} else {
		complete = complete && c.next >= l.lastGap.next
	}
	entries = buf
	for k := range l.keys.after(c) {
		if k.state != nil {
			due = append(due, unencoded{len(entries), k.state})
		}
		entries = append(entries, k.entry)
	}
	if next.next < l.ring.first {
		next, complete = l.oldest(), false
	}
	return entries, due, next, complete, true
}
