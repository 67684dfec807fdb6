package kafka

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"time"
	"unicode/utf8"

	"sidestream/adapters"
	"sidestream/adapters/kafka/record"
	"sidestream/adapters/kafka/registry"
)

// typeDelete is the type of events that take a key away: those of records
// without a value.
const typeDelete = "delete"

// maxYear is the last that RFC 3339 can write. A producer may have put any
// number where the time stands.
const maxYear = 9999

// record emits a record, if it is one of those that are delivered.
func (r *reader) record(ctx context.Context, p *part, rec *record.Record) error {
	p.next = rec.Offset + 1
	r.pass(p)
	if r.key != nil && !bytes.Equal(rec.Key, r.key) {
		return nil
	}
	r.at.last = p.at
	if r.factory.options.Compacted {
		p.known = r.knownAt(p, rec)
	}
	e, err := r.event(ctx, p, rec)
	if _, bad := errors.AsType[*registry.PayloadError](err); bad {
		r.env.Log.Warn().Err(err).Str("partition", r.describe(p.id)).Int64("offset", rec.Offset).Msg("record passed over")
		return r.emit(adapters.Event{Gap: &adapters.Gap{Reason: adapters.LostInvalid, Lost: 1}, Position: r.position()})
	}
	if err != nil {
		return err
	}
	return r.emit(e)
}

// knownAt returns before when one who has this record knows all that happened
// in its partition. Times of producers may be wrong, but not later than now.
func (r *reader) knownAt(p *part, rec *record.Record) time.Time {
	now := time.Now()
	if p.next >= p.high || rec.Time.After(now) {
		return now
	}
	return rec.Time
}

// event returns the event of a record.
func (r *reader) event(ctx context.Context, p *part, rec *record.Record) (e adapters.Event, err error) {
	key, value, err := r.factory.decode(ctx, rec)
	if err != nil {
		return e, err
	}
	e = adapters.Event{Position: r.position(), Data: value, Key: text(key)}
	if rec.Time.Year() <= maxYear {
		e.Time = rec.Time
	}
	if value == nil {
		e.Type, e.Data, e.Null = typeDelete, []byte(e.Key), true
	}
	switch {
	case !r.factory.options.Compacted:
	case value == nil:
		e.State = &adapters.State{Gone: true}
	default:
		e.Data = bytes.Clone(value) // a state is kept, and what it came in should not be
		e.State = &adapters.State{Type: e.Type, Data: e.Data}
	}
	if r.env.Meta {
		e.Headers = headers(rec.Headers)
		e.Meta = map[string]any{
			"topic":     r.topics[p.id.topic],
			"partition": int64(p.id.partition),
			"offset":    rec.Offset,
		}
		if !e.Time.IsZero() {
			e.Meta["timestamp"] = e.Time
		}
	}
	return e, nil
}

// text returns a key as text: in base64 if it is none.
func text(key []byte) string {
	if !utf8.Valid(key) {
		return base64.StdEncoding.EncodeToString(key)
	}
	return string(key)
}

// headers returns the headers of a record, of which there may be several with
// one name. Values that aren't text are given in base64.
func headers(list []record.Header) map[string][]string {
	if len(list) == 0 {
		return nil
	}
	h := make(map[string][]string, len(list))
	for i := range list {
		h[list[i].Key] = append(h[list[i].Key], text(list[i].Value))
	}
	return h
}
