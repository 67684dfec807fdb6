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

	// Complete says that nothing may be lost for this client, announced or
	// not: a gap is a violation.
	Complete bool
}

// An Entry is one thing that happened to a client: a [Connected], [Refused],
// [Event], [Gap] or [Notice]. Its text is for reports.
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
	Record Record // without its sequence
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

func (Connected) entry() {}
func (Refused) entry()   {}
func (Event) entry()     {}
func (Gap) entry()       {}
func (Notice) entry()    {}

// NewEvent returns the event with this id and payload.
func NewEvent(id string, payload []byte) Event {
	r, err := Parse(payload)
	return Event{ID: id, Record: r, Err: err}
}

// A Tally is what a log comes to.
type Tally struct {
	Connections, Resumes, Events, Gaps int
}

// Tally counts what happened to the client.
func (c *Client) Tally() Tally {
	var t Tally
	for _, e := range c.Log {
		switch e := e.(type) {
		case Connected:
			t.Connections++
			if e.LastEventID != "" {
				t.Resumes++
			}
		case Event:
			t.Events++
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
}
