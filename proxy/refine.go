package proxy

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"sidestream/adapters"
	"sidestream/adapters/jq"
	"sidestream/proxy/eventstream"
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

	// to is the key of the clients that are concerned, if keyed is true;
	// otherwise it may be anybody.
	to    string
	keyed bool
}

func (r *refusal) Error() string { return r.err.Error() }

func (r *refusal) Unwrap() error { return r.err }

// refuse returns a refusal for the given reason, with a formatted message.
func refuse(reason, format string, args ...any) *refusal {
	return &refusal{reason: reason, err: fmt.Errorf(format, args...)}
}

// refiner makes a route's events of a source's: mapping, payload encoding,
// and the checks that hold for every event. One is used by one goroutine.
type refiner struct {
	route *Route
	scope mapping.Scope
	buf   []mapping.Event
}

func newRefiner(r *Route, vars adapters.Vars) *refiner {
	return &refiner{route: r, scope: mapping.Scope{Route: r.String(), Vars: vars, Partitioned: r.factory.Capabilities().Partitioned}}
}

// form tells what a route makes of a source's events from what another one, or
// another version of it, would make of them; "" for what the source makes.
func (r *Route) form() string {
	if r.mapping == nil && r.Encoding == EncodingUTF8 {
		return ""
	}
	e := r.Event
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q %q %q %q %q %q", e.Where, e.Type, e.Data, e.Key, e.Decode, r.Encoding, r.Key))
	return base64.RawURLEncoding.EncodeToString(sum[:9])
}

// refine returns the events that e becomes, valid until the next call. prev
// is the position before e. An error is a [refusal] of all of e.
//
// On a route that matches clients, events without a key are left out: they are
// for nobody.
func (f *refiner) refine(ctx context.Context, e *adapters.Event, prev adapters.Position) ([]mapping.Event, error) {
	f.buf = f.buf[:0]
	if m := f.route.mapping; m == nil {
		f.buf = append(f.buf, mapping.Event{Event: *e, To: e.Key})
	} else if err := f.apply(ctx, m, e, prev); err != nil {
		return nil, err
	}
	if f.route.matcher != nil {
		f.buf = slices.DeleteFunc(f.buf, func(e mapping.Event) bool { return !reachable(e.To) })
	}
	for i := range f.buf {
		if err := f.finish(&f.buf[i].Event); err != nil {
			return nil, f.concerning(err, f.buf[i].To)
		}
	}
	return f.buf, nil
}

// concerning returns the refusal err as one that concerns clients who match
// to and nobody else, unless the message is for others as well.
func (f *refiner) concerning(err error, to string) error {
	if r, ok := errors.AsType[*refusal](err); ok && f.route.matcher != nil && !f.route.mapping.Splits() {
		r.to, r.keyed = to, true
	}
	return err
}

// unmapped is the refusal of a message that an expression has failed on, or
// nil if the message is for nobody.
func (f *refiner) unmapped(err error) error {
	f.buf = f.buf[:0]
	refused := &refusal{reason: droppedUnmapped, err: err}
	k, ok := errors.AsType[*mapping.KeyedError](err)
	switch {
	case !ok:
		return refused
	case f.route.matcher != nil && !reachable(k.To) && !f.route.mapping.Splits():
		return nil
	default:
		return f.concerning(refused, k.To)
	}
}

// reachable reports whether a client can have this key: one that isn't empty,
// nor longer than keys are.
func reachable(key string) bool { return key != "" && len(key) <= maxKey }

func (f *refiner) apply(ctx context.Context, m *mapping.Mapping, e *adapters.Event, prev adapters.Position) error {
	var err error
	f.buf, err = m.Apply(ctx, e, prev, f.scope, f.buf)
	if errors.Is(err, jq.ErrTimeout) {
		// The process may have been stopped meanwhile, or short of time.
		f.buf, err = m.Apply(ctx, e, prev, f.scope, f.buf[:0])
	}
	if err != nil {
		return f.unmapped(err)
	}
	// A change comes with the state it leads to, which is a message of its
	// own to the expressions.
	if e.State == nil || e.State.Gone || e.Whole() || len(f.buf) == 0 {
		return nil
	}
	state := adapters.NewState(e.Position, e.State.Type, e.State.Data)
	state.Key, state.Time, state.Headers, state.Meta = e.Key, e.Time, e.Headers, e.Meta
	mapped, err := m.Apply(ctx, &state, prev, f.scope, nil)
	if err != nil {
		return f.unmapped(err)
	}
	if len(mapped) == 0 { // a state that is filtered out is not to be led to
		f.buf = f.buf[:0]
		return nil
	}
	f.buf[0].State = mapped[0].State
	return nil
}

func (f *refiner) finish(e *adapters.Event) error {
	whole, gone := e.Whole(), e.State != nil && e.State.Gone
	if !gone {
		var err error
		if e.Data, err = f.payload(e.Data); err != nil {
			return err
		}
	}
	if strings.HasPrefix(e.Type, adapters.ReservedPrefix) {
		return refuse(droppedReserved, "event type %q: types that start with %q are Sidestream's own", clip(e.Type), adapters.ReservedPrefix)
	}
	switch {
	case !eventstream.ValidType(e.Type):
		return refuse(droppedUnwritten, "event type %q is not one line of text", clip(e.Type))
	case e.Position != "" && !eventstream.ValidID(string(e.Position)):
		return refuse(droppedUnwritten, "id %q is not printable ASCII without spaces, %d characters at most", clip(string(e.Position)), eventstream.MaxID)
	case string(e.Position) == f.route.End.ID:
		return refuse(droppedUnwritten, "id %q is that of the end (the route's end.id), after which clients stay away", clip(string(e.Position)))
	case len(e.Key) > maxKey:
		return refuse(droppedTooLarge, "key of %d bytes is longer than %d", len(e.Key), maxKey)
	case e.State != nil && strings.HasPrefix(e.State.Type, adapters.ReservedPrefix):
		return refuse(droppedReserved, "state type %q: types that start with %q are Sidestream's own", clip(e.State.Type), adapters.ReservedPrefix)
	}
	switch {
	case e.State == nil, gone:
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
		return nil, refuse(droppedTooLarge, "payload of %d bytes is larger than max_event_size, %v", len(data), f.route.MaxEventSize)
	}
	switch {
	case len(data) == 0:
		return []byte(f.route.Empty), nil
	case f.route.Encoding == EncodingBase64:
		return base64.StdEncoding.AppendEncode(nil, data), nil
	case !utf8.Valid(data):
		return nil, &refusal{reason: droppedNotText, err: errNotUTF8}
	}
	return data, nil
}
