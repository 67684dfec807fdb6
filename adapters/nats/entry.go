package nats

import (
	"encoding/json"
	"strings"

	natsgo "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"sidestream/adapters"
)

// typeDelete is the type of an event that takes a key away.
const typeDelete = "delete"

// What was done to a key, as in events' Meta.
const (
	operationPut    = "put"
	operationDelete = "delete"
	operationPurge  = "purge"
)

// A reader makes events of a bucket's messages, for one Run.
type reader struct {
	*bucketSource
	prefix string // of the subjects

	// snapshot is the sequence up to which the Run delivers what is there,
	// rather than what changes: the newest entry of each key. That a key is
	// gone is of no interest then.
	snapshot uint64
}

// event returns the event of a message, after which the place is at. ok is
// false if it is none.
func (r *reader) event(at place, m *natsgo.Msg, meta *natsgo.MsgMetadata) (e adapters.Event, ok bool) {
	key := strings.TrimPrefix(m.Subject, r.prefix)
	did := operation(m)
	pos := at.position()
	switch {
	case did == operationPut:
		e = adapters.NewState(pos, "", m.Data)
	case r.factory.options.IgnoreDeletes, at.seq <= r.snapshot:
		return e, false
	default:
		text, err := json.Marshal(map[string]string{"key": key})
		if err != nil {
			return e, false // a string can always be marshalled
		}
		e = adapters.Event{Position: pos, Type: typeDelete, Data: text, State: &adapters.State{Gone: true}}
	}
	if r.factory.options.UpdatesOnly {
		e.State = nil
	}
	e.Key = key
	e.Time = meta.Timestamp.UTC()
	if r.env.Meta {
		e.Headers = m.Header
		e.Meta = r.meta(m, meta)
		e.Meta["bucket"], e.Meta["key"], e.Meta["operation"] = r.bucket, key, did
	}
	return e, true
}

// operation returns what a message did to its key. That of a client is in a
// header of its own (ADR-8), that of the server's limits in another (ADR-43);
// a message without them is an entry.
func operation(m *natsgo.Msg) string {
	if len(m.Header) == 0 {
		return operationPut
	}
	switch m.Header.Get("KV-Operation") {
	case "DEL":
		return operationDelete
	case "PURGE":
		return operationPurge
	}
	switch m.Header.Get(jetstream.MarkerReasonHeader) {
	case "":
		return operationPut
	case "Remove":
		return operationDelete
	default: // MaxAge, Purge
		return operationPurge
	}
}
