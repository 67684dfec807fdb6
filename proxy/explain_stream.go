package proxy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"sidestream/adapters"
	"sidestream/proxy/feed"
)

// ExplainOptions say how far an explanation goes. The zero value asks nothing
// of an upstream.
type ExplainOptions struct {
	// Run asks the upstream once, and shows what is made of its answer.
	Run bool

	// Timeout bounds the explanation of a source; 0 or less means 30s.
	Timeout time.Duration

	// MaxBytes is how much of an event's payload, and of its block, is
	// shown; 0 or less means 2048.
	MaxBytes int
}

// An ExplainedStream is the stream that a request gets.
type ExplainedStream struct {
	Adapter     string          `json:"adapter"`
	Variables   []Variable      `json:"variables"`
	Credentials []Credential    `json:"credentials"` // by which its route's streams are told apart, beside the variables
	After       string          `json:"after,omitempty"`
	Key         string          `json:"key,omitempty"`   // of the events that the client gets; empty if they are those of all keys
	Pages       *ExplainedPages `json:"pages,omitempty"` // of other origins; nil if there are none, and the request is of none
	Linger      string          `json:"linger"`          // how long it stays open after its last client left
	Always      bool            `json:"always"`          // its source runs also if nobody listens
	Expressions []Expression    `json:"expressions"`
	Explains    bool            `json:"explains"` // false: the adapter can't show how it works
	Steps       []adapters.Step `json:"steps"`

	Ran    bool             `json:"ran"`    // the upstream was asked
	Events []ExplainedEvent `json:"events"` // what a new client would get
	More   int              `json:"more"`   // events that aren't shown
	Error  string           `json:"error,omitempty"`
}

// A Variable of a route with its value. By those its streams are told apart.
type Variable struct {
	Name  string  `json:"name"`
	Value *string `json:"value"` // nil: the request doesn't have it
	Query bool    `json:"query"` // it comes from the query
}

// A Credential is a header by whose value streams are told apart.
type Credential struct {
	Header string `json:"header"`
	Given  bool   `json:"given"` // the request has it
}

// An ExplainedEvent is an event as clients get it, or one that they don't
// get.
type ExplainedEvent struct {
	ID      string `json:"id"` // empty: the stream numbers it
	Type    string `json:"type"`
	Size    int    `json:"size"` // of the payload, in bytes
	Data    string `json:"data"`
	Block   string `json:"block"`             // as it is sent
	Clipped bool   `json:"clipped"`           // Data or Block are not all of it
	Dropped string `json:"dropped,omitempty"` // why clients don't get it; the rest is the source's then
}

// Bounds of what is shown.
const (
	defaultExplainTimeout = 30 * time.Second
	defaultExplainBytes   = 2 << 10
	maxExplainedEvents    = 20
)

// settle is how long after its first event a source is listened to that
// doesn't say when it has delivered all.
const settle = time.Second

// explainStream explains the stream of route that asked gets, or says why it
// gets none.
func explainStream(route *Route, asked *http.Request, o ExplainOptions) (*ExplainedStream, *badRequest) {
	vars, from, bad := route.admit(asked)
	switch {
	case bad != nil:
		return nil, bad
	case from.id == route.End.ID:
		return nil, &badRequest{http.StatusNoContent, "its Last-Event-ID is that of the stream's end (end.id), so it is to stay away", nil}
	}
	can := route.factory.Capabilities()
	if closer, ok := route.bare.(io.Closer); ok {
		defer closer.Close()
	}
	own := route.forSource(vars)
	source, err := route.bare.Open(own, adapters.Env{
		Meta:        route.mapping.NeedsMeta(),
		Credentials: credentials(asked.Header, can.Forward),
	})
	if errors.Is(err, adapters.ErrBadVariable) {
		return nil, &badRequest{http.StatusNotFound, "", err}
	}
	e := &ExplainedStream{
		Adapter: route.Adapter, After: from.id, Key: route.matcher.key(vars), Linger: route.Linger.String(), Always: can.Always,
		Variables: []Variable{}, Credentials: []Credential{}, Steps: []adapters.Step{}, Events: []ExplainedEvent{},
		Expressions: append([]Expression{}, route.expressions...),
	}
	for _, name := range route.vars {
		v := Variable{Name: name, Query: slices.Contains(route.Query, name)}
		if value, ok := vars[name]; ok {
			v.Value = &value
		}
		e.Variables = append(e.Variables, v)
	}
	for _, name := range can.Forward {
		e.Credentials = append(e.Credentials, Credential{name, len(asked.Header.Values(name)) > 0})
	}
	e.Pages = explainPages(route, asked)
	if err != nil {
		e.Error = "the source can't be opened: " + err.Error()
		return e, nil
	}
	e.show(asked.Context(), newRefiner(route, own), source, o)
	return e, nil
}

// hide takes the table's secrets out of what the adapter has shown.
func (e *ExplainedStream) hide(m mask) {
	for i := range e.Steps {
		e.Steps[i].Text = m.text(e.Steps[i].Text)
	}
	e.Error = m.text(e.Error)
}

// why words the answer for those who configure.
func (b *badRequest) why() string {
	if b.cause != nil {
		return b.cause.Error()
	}
	return b.msg
}

// show lets source explain itself, and runs it if o asks for that.
func (e *ExplainedStream) show(ctx context.Context, f *refiner, source adapters.Source, o ExplainOptions) {
	if o.Timeout <= 0 {
		o.Timeout = defaultExplainTimeout
	}
	if o.MaxBytes <= 0 {
		o.MaxBytes = defaultExplainBytes
	}
	asking, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	var (
		explained adapters.Explanation
		err       error
	)
	explainer, ok := source.(adapters.Explainer)
	switch {
	case ok:
		explained, err = explainer.Explain(asking, o.Run)
	case o.Run:
		explained.Events, err = sample(asking, source)
	}
	e.Explains, e.Ran = ok, o.Run
	e.Steps = append(e.Steps, explained.Steps...)
	var denied *adapters.DeniedError
	switch {
	case errors.As(err, &denied):
		e.Error = err.Error() + ", which is what clients are answered"
	case err != nil && asking.Err() != nil && ctx.Err() == nil:
		e.Error = fmt.Sprintf("not done within %v: %v", o.Timeout, err)
	case err != nil:
		e.Error = err.Error()
	}
	refining, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	e.refine(refining, f, explained.Events, o.MaxBytes)
}

// sample runs source and returns what it emits: until it says that it has
// delivered all there is, or a while after its first event, or until there
// are enough of them, or ctx is done. Then it is a failure only if nothing
// was heard of it.
func sample(ctx context.Context, source adapters.Source) ([]adapters.Event, error) {
	run, cancel := context.WithCancel(ctx)
	defer cancel()
	var (
		events  []adapters.Event
		heard   bool
		stale   string
		settled *time.Timer
	)
	err := runSource(run, source.Run, "", func(event adapters.Event) error {
		if stale = event.Stale; stale == "" {
			heard = true
		}
		if !event.Live && event.Gap == nil && stale == "" {
			events = append(events, event)
		}
		switch {
		case event.Live && len(events) > 0, len(events) > maxExplainedEvents:
			return errEnough
		case len(events) > 0 && settled == nil:
			settled = time.AfterFunc(settle, cancel)
		}
		return nil
	})
	if settled != nil {
		settled.Stop()
	}
	over := run.Err() != nil && !errors.Is(ctx.Err(), context.Canceled)
	if errors.Is(err, errEnough) || heard && over {
		return events, nil
	}
	if err != nil && stale != "" {
		err = adapters.Transient(stale, err)
	}
	return events, err
}

var errEnough = errors.New("enough was seen")

// refine shows what the route makes of the events of its source.
func (e *ExplainedStream) refine(ctx context.Context, f *refiner, events []adapters.Event, most int) {
	var prev adapters.Position
	for i := range events {
		event := &events[i]
		if event.Live || event.Gap != nil || event.Stale != "" {
			continue
		}
		refined, err := f.refine(ctx, event, prev)
		prev = cmp.Or(event.Position, prev)
		switch {
		case err != nil:
			e.add(event, nil, "refused, and announced as a gap: "+err.Error(), most)
		case len(refined) == 0:
			e.add(event, nil, "left out by the route's expressions", most)
		}
		for j := range refined {
			if route := f.route; route.matcher != nil && refined[j].To != e.Key {
				e.add(event, nil, fmt.Sprintf("for clients of another key, %q", clip(refined[j].To)), most)
				continue
			}
			block, err := feed.Encode(&refined[j].Event)
			if err != nil {
				e.add(event, nil, "refused, and announced as a gap: "+err.Error(), most)
				break
			}
			e.add(&refined[j].Event, block, "", most)
		}
	}
}

// add shows event, if there is room.
func (e *ExplainedStream) add(event *adapters.Event, block []byte, dropped string, most int) {
	if len(e.Events) == maxExplainedEvents {
		e.More++
		return
	}
	e.Events = append(e.Events, ExplainedEvent{
		ID: string(event.Position), Type: event.Type, Size: len(event.Data),
		Data: clipText(event.Data, most), Block: clipText(block, most),
		Clipped: max(len(event.Data), len(block)) > most, Dropped: dropped,
	})
}

// clipText returns at most so many bytes of text, and no part of a character.
func clipText(text []byte, most int) string {
	return strings.ToValidUTF8(string(text[:min(len(text), most)]), "")
}
