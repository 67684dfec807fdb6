package adapters

import (
	"context"
	"net/http"
	"time"

	"github.com/rs/zerolog"
)

// A Source delivers the events of one upstream, in order. The package
// comment states what it promises.
type Source interface {
	// Run delivers every event after position after (exclusive) until ctx is
	// done or the upstream ends.
	//
	// It returns nil if the upstream has ended for good, emit's error if
	// emit failed, and otherwise an error that says why delivery stopped:
	// ctx's error, a [PositionLostError], or a failure of the upstream,
	// which is taken for transient unless [IsPermanent] says otherwise.
	Run(ctx context.Context, after Position, emit func(Event) error) error
}

// Capabilities say what the sources of a configured adapter can do. The zero
// value promises nothing. A route that asks for more than its adapter has is
// refused when the routing table is loaded.
type Capabilities struct {
	// Positions: every event carries a position of the source's own, which
	// stays valid across restarts and on other replicas.
	Positions bool

	// Replayable: Run honours any position that the upstream still holds,
	// and several Runs of one source may go on at once. Implies Positions.
	Replayable bool

	// Stateful: events carry Event.State.
	Stateful bool

	// Changes: events may be changes to a state, in a form that clients
	// know (a JSON Patch, say), so a route can't rewrite their payloads.
	Changes bool

	// Keyed: events carry keys of the source's own, and are ordered by key.
	Keyed bool

	// Ingest: sources are [Receiver]s, and the factory is an [Ingester].
	Ingest bool

	// WholeURL: the source stands for the very URL of the request, so that
	// a query parameter that the route doesn't name, and that hence would
	// have no effect, is an error of the client's.
	WholeURL bool

	// Compare returns the order of two positions: negative if a is before b,
	// 0 if they are the same place, positive if a is behind b. ok is false if
	// one of them is malformed, if they belong to different incarnations of
	// the upstream, or, where sources are Partitioned, if neither is before
	// the other. It is nil if positions have no order that one can see.
	Compare func(a, b Position) (order int, ok bool)

	// Partitioned: the upstream is several logs, each with an order of its
	// own, and a position is a place in all of them. Two Runs may deliver the
	// events of different logs in different orders, so that positions of one
	// Run need not have an order to those of another. The position a is
	// before b if whoever is at b has all that one at a has, and more; in
	// that, the event right before b may be one that both have. Sources are
	// [Replayer]s. Implies Replayable, Compare and Before.
	Partitioned bool

	// Before returns the place right before the event that p is the position
	// of; ok is false if p is malformed or not the position of an event. It is
	// nil unless sources are Partitioned.
	Before func(p Position) (before Position, ok bool)

	// Selects: what a Run without a position delivers before its first Live
	// notice is a selection, such as the newest event of each key, so that it
	// leaves out some of what a Run after an earlier position delivers. Only
	// sources with Compare can say so.
	Selects bool

	// Seekable: sources are [Seeker]s. Implies Replayable.
	Seekable bool

	// Always: the source is to run for as long as its route is served, and
	// not only while somebody listens.
	Always bool

	// Forward names the request headers, in canonical form, that say on
	// whose behalf a client asks. If there are any, a source is opened for
	// each set of their values, gets them as [Env.Credentials], and serves
	// nobody else.
	Forward []string
}

// A Factory is an adapter configured for one route: it opens the route's
// sources, one for each set of variables. Making one acquires nothing, since a
// routing table may be read just to be checked. One whose sources share
// something that outlasts them, such as connections, is an [io.Closer] and is
// closed when the route is gone and the last of them has returned.
type Factory interface {
	Capabilities() Capabilities

	// Open returns the source for vars. It does no I/O. An error that is
	// [ErrBadVariable] means that a variable's value can't be part of an
	// upstream's name, and the client gets 404.
	Open(vars Vars, env Env) (Source, error)
}

// Env is what a source is given by its surroundings. The zero value works.
type Env struct {
	// Log is the source's logger. It names the route already. A source logs
	// no payload and no secret.
	Log zerolog.Logger

	// Meta says that Event.Headers and Event.Meta will be read.
	Meta bool

	// Credentials are the headers named by [Capabilities.Forward], as far as
	// the client's request has them. They are secrets.
	Credentials http.Header

	// Form stands for what the route makes of events. A Stateful source whose
	// positions are made of the state alone takes it in, so that the state is
	// sent again to those who have it in another form. It may be empty.
	Form string

	// Result, if not nil, counts one exchange with the upstream by its
	// outcome: a status code or another word of a small, fixed set.
	Result func(outcome string)
}

// Count calls e.Result if it is set.
func (e Env) Count(outcome string) {
	if e.Result != nil {
		e.Result(outcome)
	}
}

// A Seeker is a source that can tell which place in its upstream belongs to a
// time.
type Seeker interface {
	// Seek returns a position after which come all events at hand that the
	// upstream has dated t or later, and no more of the earlier ones than it
	// can help: the place of the oldest event at hand if they are all later,
	// and that of the newest if none is. Errors are those of Run.
	Seek(ctx context.Context, t time.Time) (Position, error)
}

// A Rereader is a source of which a Run keeps its upstream going, beside
// delivering. What one client is to have in addition is Reread, therefore, so
// that nothing depends on how fast that client is, or on how long it stays.
type Rereader interface {
	// Reread does what Run does, beside Runs that do more, and returns when
	// those would try again by themselves.
	Reread(ctx context.Context, after Position, emit func(Event) error) error
}

// A Replayer is a source that can deliver what lies between two places. It is
// how a client whose position is none of those that the shared Run has passed
// is brought to one of them.
type Replayer interface {
	// Replay delivers every event that one who is at until has and one who is
	// at after lacks, each with a position between the two, and returns nil.
	// It emits no Live notice. An empty after means what it means to Run.
	// until is the position of an event or a notice of this source, and after
	// is not behind it. Errors are those of Run.
	Replay(ctx context.Context, after, until Position, emit func(Event) error) error
}

// A Reporter is a source that can say how it is doing, at any time and
// concurrently with Run.
type Reporter interface {
	Report() Report
}

// A Report says how the exchanges of a source with its upstream go. It holds
// no payload and no secret.
type Report struct {
	Last string    // the outcome of the last one, as given to [Env.Count]; empty before the first
	At   time.Time // when that was
	Next time.Time // when the next is due; zero: there is no telling
	Why  string    // why then: "every", "max-age", "retry-after"…
}

// An Explainer is a source that can show how it works.
type Explainer interface {
	// Explain returns, step by step, what the source would ask of its
	// upstream, with secrets masked, and, if run is set, what comes of
	// asking once: what was answered, and the events that a new client would
	// get. An error comes with the steps up to it.
	Explain(ctx context.Context, run bool) (Explanation, error)
}

// An Explanation is what an [Explainer] shows.
type Explanation struct {
	Steps []Step

	// Events are what would be emitted to a new client, in order, before
	// anything that the route does to them; none if nothing was run.
	Events []Event
}

// A Step is one step of an explanation.
type Step struct {
	Name string `json:"name"`
	Text string `json:"text"` // one line or several
}
