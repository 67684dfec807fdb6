package chaos

import (
	"fmt"
	"strconv"
	"time"
)

// A Client is what happened to one client.
type Client struct {
	Name string
	Key  string // the only key that it listens to; empty: all
	Log  []Entry

	// Opaque says that ids are places in all partitions which only the source
	// can read, and that events say themselves where their records are. If it
	// is false, there is one partition, and ids start with the sequence.
	Opaque bool

	// Complete says that nothing may be lost for this client, announced or
	// not: a gap is a violation.
	Complete bool
}

// An Entry is one thing that happened to a client: a [Connected], [Refused],
// [Event], [Gap], [Notice] or [Added]. Its text is for reports.
type Entry interface {
	entry()
	String() string
}

// Connected is a response with status 200.
type Connected struct {
	LastEventID string    // that was sent; empty: none
	To          string    // the replica, for reports
	At          time.Time // for reports
}

// Refused is a response with another status.
type Refused struct{ Status int }

// An Event is an event of the source.
type Event struct {
	ID     string
	Record Record // its place counts only where ids are opaque
	Err    error  // why the payload is not that of a record
}

// A Gap is a stream.gap event.
type Gap struct {
	ID      string
	Reason  string
	Resumed string // the id that delivery goes on after; empty: not said
	Lost    *int64 // nil: not known
}

// A Notice is any other control event.
type Notice struct{ ID, Type string }

// Added says that the stream is about to get a partition. All of that is owed
// to whoever has an id by now.
type Added struct{ Partition int }

func (c Connected) String() string {
	return fmt.Sprintf("connected with %q to %s at %s", c.LastEventID, c.To, c.At.UTC().Format("15:04:05.000"))
}

func (r Refused) String() string { return fmt.Sprintf("refused with %d", r.Status) }

func (e Event) String() string {
	if e.Err != nil {
		return fmt.Sprintf("event %s: %v", e.ID, e.Err)
	}
	return fmt.Sprintf("event %s: %v", e.ID, e.Record)
}

func (g Gap) String() string {
	lost := "an unknown number"
	if g.Lost != nil {
		lost = strconv.FormatInt(*g.Lost, 10)
	}
	return fmt.Sprintf("gap at %s: %s, %s lost, resumes at %q", g.ID, g.Reason, lost, g.Resumed)
}

func (n Notice) String() string { return fmt.Sprintf("%s at %s", n.Type, n.ID) }

func (a Added) String() string { return fmt.Sprintf("partition %d added", a.Partition) }

func (Connected) entry() {}
func (Refused) entry()   {}
func (Event) entry()     {}
func (Gap) entry()       {}
func (Notice) entry()    {}
func (Added) entry()     {}

// NewEvent returns the event with this id and payload.
func NewEvent(id string, payload []byte) Event {
	r, err := Parse(payload)
	return Event{ID: id, Record: r, Err: err}
}

// NewPlacedEvent returns the event with this id and payload, which came with
// the place and the key of its record.
func NewPlacedEvent(id string, partition int, sequence uint64, key string, payload []byte) Event {
	e := NewEvent(id, payload)
	if e.Err == nil && e.Record.Key != key {
		e.Err = fmt.Errorf("%v came with the key %q", e.Record, key)
	}
	e.Record.Partition, e.Record.Sequence = partition, sequence
	return e
}

// A Tally is what a log comes to.
type Tally struct {
	Connections, Resumes, Events, Gaps int
	Again                              int // events that had come before, on another connection
}

// Tally counts what happened to the client.
func (c *Client) Tally() Tally {
	var t Tally
	had := map[name]bool{}
	for _, e := range c.Log {
		switch e := e.(type) {
		case Connected:
			t.Connections++
			if e.LastEventID != "" {
				t.Resumes++
			}
		case Event:
			t.Events++
			if e.Err == nil && !e.Record.Gone {
				if had[e.Record.name()] {
					t.Again++
				}
				had[e.Record.name()] = true
			}
		case Gap:
			t.Gaps++
		}
	}
	return t
}

// Add adds another tally.
func (t *Tally) Add(other Tally) {
	t.Connections += other.Connections
	t.Resumes += other.Resumes
	t.Events += other.Events
	t.Gaps += other.Gaps
	t.Again += other.Again
}
