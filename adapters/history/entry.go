package history

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/klauspost/compress/zstd"
	natsgo "github.com/nats-io/nats.go"

	"sidestream/adapters"
)

// headerEntry is the header with what an [entry] has beside its payload.
const headerEntry = "Sidestream"

// maxHeader is the most that an entry may have beside its payload, in bytes. A
// server takes 64KiB for all headers of a message.
const maxHeader = 48 << 10

// packed is the size from which on payloads are compressed, and maxUnpacked
// what one may become again.
const (
	packed      = 4 << 10
	maxUnpacked = 256 << 20
)

// A mark is what an entry is that is no event.
type mark string

// The marks.
const (
	markBegin mark = "begin" // a replica has begun to write; what an earlier one would still write is refused
	markGap   mark = "gap"   // events are missing here
	markState mark = "state" // the state as it was already, once more
	markEnd   mark = "end"   // the source has ended for good
	markProbe mark = "probe" // nothing: can be written at all?
)

// An entry is a message of the log: an event, or a mark. Its payload is the
// event's data, so that whoever looks into the stream finds it.
type entry struct {
	Mark mark   `json:"mark,omitempty"`
	Type string `json:"type,omitempty"`
	Key  text   `json:"key,omitempty"`
	ID   text   `json:"id,omitempty"`
	Null bool   `json:"null,omitempty"`

	// Time is when the upstream says that it happened.
	Time time.Time `json:"time,omitzero"`

	Headers map[string][]text `json:"headers,omitempty"`
	Meta    map[string]any    `json:"meta,omitempty"`

	// Position is the source's own, for the replica that runs it next.
	Position adapters.Position `json:"position,omitempty"`

	// State says where the state is that the event leads to, and StateType is
	// its type. Of one that follows the data in the payload, Data is how long
	// the data is.
	State     stateForm `json:"state,omitempty"`
	StateType string    `json:"state_type,omitempty"`
	Data      int       `json:"data,omitempty"`

	// StateAt is, in an entry without a state, the sequence of the newest
	// one before it that has one; 0: there is none.
	StateAt uint64 `json:"state_at,omitempty"`

	// Of a gap.
	Reason adapters.LostReason `json:"reason,omitempty"`
	Lost   int64               `json:"lost,omitempty"`

	// Packed says that the payload is compressed (zstd, RFC 8878).
	Packed bool `json:"packed,omitempty"`
}

// A stateForm is where the state of an entry is.
type stateForm string

const (
	stateNone  stateForm = ""
	stateSame  stateForm = "same"  // it is the data
	stateAfter stateForm = "after" // behind the data
	stateGone  stateForm = "gone"  // see [adapters.State]
)

// hasState reports whether who comes to the entry knows the state there.
func (x *entry) hasState() bool { return x.State != stateNone }

// entryOf returns the entry of an event, and its payload.
func entryOf(e *adapters.Event) (x entry, payload []byte) {
	x = entry{
		Type: e.Type, Key: text(e.Key), ID: text(e.ID), Null: e.Null, Time: e.Time,
		Headers: convert[text](e.Headers), Meta: e.Meta, Position: e.Position,
	}
	payload = e.Data
	switch {
	case e.State == nil:
	case e.State.Gone:
		x.State = stateGone
	case e.Whole():
		x.State = stateSame
	default:
		x.State, x.StateType, x.Data = stateAfter, e.State.Type, len(e.Data)
		payload = append(append(make([]byte, 0, len(e.Data)+len(e.State.Data)), e.Data...), e.State.Data...)
	}
	return x, payload
}

// stateMark returns the entry of a state that is there already, and its
// payload.
func stateMark(s *adapters.State) (x entry, payload []byte) {
	return entry{Mark: markState, Type: s.Type, State: stateSame}, s.Data
}

// event returns the event that an entry with this payload stands for. stored
// is when it was stored, and stands for a time that the upstream didn't give.
func (x *entry) event(payload []byte, stored time.Time) (adapters.Event, error) {
	e := adapters.Event{
		Type: x.Type, Key: string(x.Key), ID: string(x.ID), Null: x.Null, Time: x.Time, Data: payload,
		Headers: convert[string](x.Headers), Meta: x.Meta,
	}
	if e.Time.IsZero() {
		e.Time = stored
	}
	switch x.State {
	case stateNone:
	case stateSame:
		e.State = &adapters.State{Type: x.Type, Data: payload}
	case stateGone:
		e.State = &adapters.State{Gone: true}
	case stateAfter:
		if x.Data < 0 || x.Data > len(payload) {
			return e, errForeign
		}
		e.State = &adapters.State{Type: x.StateType, Data: payload[x.Data:]}
		e.Data = payload[:x.Data:x.Data]
	default:
		return e, errForeign
	}
	return e, nil
}

// errForeign is the error of a message that this program has not written, or
// one of a later version has.
var errForeign = errors.New("the message is not one of a history, or of a later version's")

// errTooLarge is the error of an event that doesn't fit into a message.
var errTooLarge = fmt.Errorf("%w for the history", adapters.ErrTooLarge)

// overhead is more than what a message takes beside its payload and the header
// of its entry, in bytes: its subject, other headers, and what the store adds.
const overhead = 1 << 10

// errUnwritable is the error of an event with Meta that can't be written.
var errUnwritable = errors.New("the event can't be kept")

// message returns the message of an entry, on a subject. No server takes one
// that is larger than most, in bytes, or would drop it at once.
func (x *entry) message(subject string, payload []byte, most int64) (*natsgo.Msg, error) {
	if len(payload) > maxUnpacked {
		return nil, fmt.Errorf("%w: %d bytes, of at most %d", errTooLarge, len(payload), maxUnpacked)
	}
	if len(payload) >= packed {
		if small := encoder.EncodeAll(payload, nil); len(small) < len(payload) {
			payload, x.Packed = small, true
		}
	}
	header, err := json.Marshal(x)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errUnwritable, err)
	}
	if len(header) > maxHeader || int64(len(header)+len(payload))+overhead > most {
		return nil, fmt.Errorf("%w: %d bytes compressed, of at most %d, and %d beside them, of at most %d", errTooLarge, len(payload), most, len(header), maxHeader)
	}
	m := natsgo.NewMsg(subject)
	m.Header.Set(headerEntry, string(header))
	m.Data = payload
	return m, nil
}

// readEntry is the inverse of message.
func readEntry(header map[string][]string, data []byte) (x entry, payload []byte, err error) {
	values := header[headerEntry]
	if len(values) != 1 {
		return x, nil, errForeign
	}
	d := json.NewDecoder(strings.NewReader(values[0]))
	d.UseNumber() // as it was, however long
	if err := d.Decode(&x); err != nil {
		return x, nil, errForeign
	}
	if x.Packed {
		if data, err = decoder.DecodeAll(data, nil); err != nil {
			return x, nil, fmt.Errorf("%w: %w", errForeign, err)
		}
	}
	return x, data, nil
}

// Both are safe for concurrent use by what is done with them here.
var (
	encoder, _ = zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest))
	decoder, _ = zstd.NewReader(nil, zstd.WithDecoderMaxMemory(maxUnpacked), zstd.WithDecoderConcurrency(0))
)

// text is what need not be UTF-8, as JSON has to be: such text is written as
// base64, in an array of one.
type text string

// MarshalJSON implements [json.Marshaler].
func (t text) MarshalJSON() ([]byte, error) {
	if utf8.ValidString(string(t)) {
		return json.Marshal(string(t))
	}
	return json.Marshal([][]byte{[]byte(t)})
}

// UnmarshalJSON implements [json.Unmarshaler].
func (t *text) UnmarshalJSON(data []byte) error {
	var plain string
	if json.Unmarshal(data, &plain) == nil {
		*t = text(plain)
		return nil
	}
	var raw [][]byte
	if err := json.Unmarshal(data, &raw); err != nil || len(raw) != 1 {
		return errForeign
	}
	*t = text(raw[0])
	return nil
}

// convert returns headers with values of another type.
func convert[To, From ~string](headers map[string][]From) map[string][]To {
	if headers == nil {
		return nil
	}
	all := make(map[string][]To, len(headers))
	for name, values := range headers {
		list := make([]To, len(values))
		for i, v := range values {
			list[i] = To(v)
		}
		all[name] = list
	}
	return all
}
