package kafka

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
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
		p.learn(rec)
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

// learn takes in what one knows who has this record. Times of producers may be
// wrong; one that is yet to come says nothing.
func (p *part) learn(rec *record.Record) {
	now := time.Now()
	p.holds = true
	if p.next >= p.high {
		p.caught = now
	}
	if rec.Time.After(p.dated) && !rec.Time.After(now) {
		p.dated = rec.Time
	}
}

// event returns the event of a record.
func (r *reader) event(ctx context.Context, p *part, rec *record.Record) (e adapters.Event, err error) {
	key, value, err := r.factory.decode(ctx, rec)
	if err != nil {
		return e, err
	}
	e = adapters.Event{Position: r.position(), Data: value, Key: r.factory.keyText(key)}
	if year := rec.Time.Year(); year >= 0 && year <= maxYear {
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

// keyText returns a key as text: where it was decoded, that of a JSON string.
func (f *factory) keyText(key []byte) string {
	if f.options.SchemaRegistry.Decodes(registry.Key) {
		var s string
		if json.Unmarshal(key, &s) == nil {
			return s
		}
	}
	return text(key)
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
