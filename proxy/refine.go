package proxy

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"sidestream/adapters"
	"sidestream/proxy/mapping"
)

// Why an event of a source is not delivered, as counted.
const (
	droppedFiltered  = "filtered"
	droppedTooLarge  = "too_large"
	droppedNotText   = "not_text"
	droppedReserved  = "reserved_type"
	droppedUnmapped  = "expression"
	droppedUnwritten = "unwritable"
)

// maxKey is the longest key of an event, in bytes.
const maxKey = 1024

// A refusal says why an event of the source can't be delivered.
type refusal struct {
	reason string // one of the constants above
	err    error
}

func (r *refusal) Error() string { return r.err.Error() }

func (r *refusal) Unwrap() error { return r.err }

// refiner makes a route's events of a source's: mapping, payload encoding,
// and the checks that hold for every event. One is used by one goroutine.
type refiner struct {
	route *Route
	scope mapping.Scope
	buf   []adapters.Event
}

func newRefiner(r *Route, vars adapters.Vars) *refiner {
	return &refiner{route: r, scope: mapping.Scope{Route: r.String(), Vars: vars}}
}

// form tells what a route makes of a source's events from what another one, or
// another version of it, would make of them; "" for what the source makes.
func (r *Route) form() string {
	if r.mapping == nil && r.Encoding == EncodingUTF8 {
		return ""
	}
	e := r.Event
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q %q %q %q %q", e.Where, e.Type, e.Data, e.Key, e.Decode, r.Encoding))
	return base64.RawURLEncoding.EncodeToString(sum[:9])
}

// refine returns the events that e becomes, valid until the next call. prev
// is the position before e. An error is a [refusal] of all of e.
func (f *refiner) refine(ctx context.Context, e *adapters.Event, prev adapters.Position) ([]adapters.Event, error) {
	f.buf = f.buf[:0]
	if m := f.route.mapping; m == nil {
		f.buf = append(f.buf, *e)
	} else if err := f.apply(ctx, m, e, prev); err != nil {
		return nil, err
	}
	for i := range f.buf {
		if err := f.finish(&f.buf[i]); err != nil {
			return nil, err
		}
	}
	return f.buf, nil
}

func (f *refiner) apply(ctx context.Context, m *mapping.Mapping, e *adapters.Event, prev adapters.Position) error {
	var err error
	if f.buf, err = m.Apply(ctx, e, prev, f.scope, f.buf); err != nil {
		return &refusal{droppedUnmapped, err}
	}
	// A change comes with the state it leads to, which is a message of its
	// own to the expressions.
	if e.State == nil || e.Whole() || len(f.buf) == 0 {
		return nil
	}
	state := adapters.NewState(e.Position, e.State.Type, e.State.Data)
	state.Key, state.Time, state.Headers, state.Meta = e.Key, e.Time, e.Headers, e.Meta
	mapped, err := m.Apply(ctx, &state, prev, f.scope, nil)
	if err != nil {
		return &refusal{droppedUnmapped, err}
	}
	if len(mapped) == 0 { // a state that is filtered out is not to be led to
		f.buf = f.buf[:0]
		return nil
	}
	f.buf[0].State = mapped[0].State
	return nil
}

func (f *refiner) finish(e *adapters.Event) error {
	whole := e.Whole()
	var err error
	if e.Data, err = f.payload(e.Data); err != nil {
		return err
	}
	if strings.HasPrefix(e.Type, adapters.ReservedPrefix) {
		return &refusal{droppedReserved, fmt.Errorf("event type %q: types that start with %q are Sidestream's own", clip(e.Type), adapters.ReservedPrefix)}
	}
	switch {
	case string(e.Position) == f.route.End.ID:
		return &refusal{droppedUnwritten, fmt.Errorf("id %q is that of the end (the route's end.id), after which clients stay away", clip(string(e.Position)))}
	case len(e.Key) > maxKey:
		return &refusal{droppedTooLarge, fmt.Errorf("key of %d bytes is longer than %d", len(e.Key), maxKey)}
	case e.State != nil && strings.HasPrefix(e.State.Type, adapters.ReservedPrefix):
		return &refusal{droppedReserved, fmt.Errorf("state type %q: types that start with %q are Sidestream's own", clip(e.State.Type), adapters.ReservedPrefix)}
	}
	switch {
	case e.State == nil:
	case whole:
		e.State = &adapters.State{Type: e.Type, Data: e.Data}
	default:
		data, err := f.payload(e.State.Data)
		if err != nil {
			return err
		}
		e.State = &adapters.State{Type: e.State.Type, Data: data}
	}
	return nil
}

var errNotUTF8 = errors.New("payload is not UTF-8 (the route's encoding: base64 would carry it)")

func (f *refiner) payload(data []byte) ([]byte, error) {
	if most := int(f.route.MaxEventSize); len(data) > most {
		return nil, &refusal{droppedTooLarge, fmt.Errorf("payload of %d bytes is larger than max_event_size, %v", len(data), f.route.MaxEventSize)}
	}
	switch {
	case len(data) == 0:
		return []byte(f.route.Empty), nil
	case f.route.Encoding == EncodingBase64:
		return base64.StdEncoding.AppendEncode(nil, data), nil
	case !utf8.Valid(data):
		return nil, &refusal{droppedNotText, errNotUTF8}
	}
	return data, nil
}
