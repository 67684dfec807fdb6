package adapters

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"time"
)

// MaxPosition is the longest position a source may use, in bytes. It leaves
// room, within the 1 KiB that clients are known to carry back in
// Last-Event-ID, for the suffix that marks one of several events made from a
// single message.
const MaxPosition = 960

// A Position is an opaque token that names a place between two events of a
// source: Run(ctx, p, emit) delivers what comes after it. The empty Position
// means "none": where the source is configured to start, by default its live
// edge.
//
// A position travels to clients as the SSE id and comes back in
// Last-Event-ID, so it is limited to what every client returns unchanged:
// printable ASCII without spaces, and without the tilde, which is reserved
// for Sidestream. See [Position.Valid].
type Position string

// Valid reports whether p is empty or a token that may be used as a position.
func (p Position) Valid() bool {
	if len(p) > MaxPosition {
		return false
	}
	for i := range len(p) {
		if c := p[i]; c <= ' ' || c >= '~' {
			return false
		}
	}
	return true
}

// An Event is one message of an upstream in Sidestream's own terms.
type Event struct {
	// Position is the place right after this event. A source that has no
	// positions of its own leaves it empty and the feed numbers the event.
	Position Position

	// Type becomes the SSE event type. Empty means the default, which
	// browsers dispatch as "message". Types that start with "stream." are
	// reserved for control events and refused.
	Type string

	// Data is the payload. It may be empty, and it may hold line breaks; if
	// it is not valid UTF-8 the route has to say how it is to be encoded.
	Data []byte

	// Null says that the message has no payload at all, as a record of a
	// Kafka topic that takes its key away. Expressions see null in its place,
	// and Data is what stands for it as long as none makes another.
	Null bool

	// Key groups the events that replace one another: the newest event of a
	// key stands for the earlier ones. Empty is a key like any other.
	Key string

	// Time is when the upstream says that the event happened, or the zero
	// time if it does not say.
	Time time.Time

	// ID, if not empty, is what the upstream knows the event by, in at most
	// [MaxID] bytes (see [BoundID]): another event with the same ID is the same
	// one, sent once more, and a receiver's store or adapter delivers it once.
	// It isn't shown to clients.
	ID string

	// State, if not nil, is the full state of Key that this event leads to.
	// It is what a client that does not have what came before is given in
	// the event's place. For an event that is itself a full state (see
	// [NewState]), State holds the same Type and Data; for a change (a
	// patch, say) it holds what the change results in.
	//
	// A source that sets State declares [Capabilities.Stateful]. It may
	// spread one change over several events, emitted one right after the
	// other: then only the last of them has State, what they lead to
	// together, and the others have positions of their own, or none. A
	// client then never receives a change to a state that it does not have.
	State *State

	// Headers are the message's headers, and Meta further facts about it
	// (subject, partition, status), for expressions to read. Both may be
	// nil, and are wanted only if [Env.Meta] is set.
	Headers map[string][]string
	Meta    map[string]any

	// Gap, if not nil, makes this a notice in place of an event: events are
	// missing here, and the source goes on behind them. It is for a source
	// that finds out while it runs; one that can be run again from a position
	// returns a [PositionLostError] instead. A notice may carry a Position to
	// go on from. All other fields are ignored.
	Gap *Gap

	// Live marks a notice in place of an event: everything that the upstream
	// has is delivered and the source now waits for more. It tells the
	// supervisor that the upstream is well, even if it has nothing to say.
	// It may carry a Position to go on from, and that of a Replayable source
	// does: two Runs that wait at the same place name the same position, or
	// one that Compare finds to be no other,
	// which is how a private replay finds out that it has met the shared
	// run although nothing happens. All other fields are ignored.
	Live bool

	// Stale, if not empty, makes this a notice in place of an event: the
	// upstream is not well, for this reason, which clients are told, and the
	// source goes on by itself to try. What it has delivered stands until a
	// Live notice says that all is well again. It is for a source that has
	// something to deliver although its upstream fails; others return an error.
	// Of other fields Live and Position may be set: what there is to deliver is
	// delivered then, while the upstream is not well.
	Stale string
}

// MaxID is the longest ID of an event, in bytes.
const MaxID = 256

// BoundID returns an ID for what the upstream calls an event: the text itself,
// or a hash of it if it is longer than [MaxID].
func BoundID(text string) string {
	if len(text) <= MaxID {
		return text
	}
	sum := sha256.Sum256([]byte(text))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// A Gap says that events are missing; see [Event.Gap].
type Gap struct {
	Reason LostReason
	Lost   int64 // how many; negative if unknown
}

// A State is the full state of one key; see [Event.State].
type State struct {
	Type string
	Data []byte

	// Gone says that the event takes the key away: it has no state any more.
	// Type and Data are then empty. Such an event reaches clients as it is,
	// untouched by expressions, and who starts later never hears of the key.
	Gone bool
}

// NewState returns an event that is itself the full state of its key.
func NewState(pos Position, typ string, data []byte) Event {
	return Event{Position: pos, Type: typ, Data: data, State: &State{Type: typ, Data: data}}
}

// Whole reports whether e is itself the full state of its key, so that
// nothing else needs to be sent to a client that has nothing yet.
func (e *Event) Whole() bool {
	return e.State != nil && !e.State.Gone && e.State.Type == e.Type &&
		(sameSlice(e.State.Data, e.Data) || bytes.Equal(e.State.Data, e.Data))
}

func sameSlice(a, b []byte) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
}
