package poll

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"
	"unicode/utf8"

	"sidestream/adapters"
	"sidestream/adapters/jq"
	"sidestream/adapters/poll/jsondoc"
	"sidestream/adapters/poll/payload"
)

// A document is what is left of an answer, or of the pages of one, once it
// is decoded and selected.
type document struct {
	json bool
	data []byte // in canonical form if it is JSON
}

// A fingerprint tells bodies apart without keeping them.
type fingerprint [sha256.Size]byte

// fingerprint covers all that the document is made of.
func (a *answer) fingerprint(format payload.Format) (sum fingerprint) {
	h := sha256.New()
	h.Write(fmt.Appendf(nil, "%d %s %s\n", a.status, format, a.header.Get("Content-Type")))
	h.Write(a.body)
	h.Sum(sum[:0])
	return sum
}

// positionOf returns the position of a document: 16 bytes of its SHA-256.
// What is hashed before it keeps the positions of another canonical form, of
// another version, from being taken for these.
func positionOf(parts ...[]byte) adapters.Position {
	h := sha256.New()
	h.Write([]byte("sidestream poll 2\n"))
	for _, part := range parts {
		h.Write(part)
	}
	return adapters.Position(base64.RawURLEncoding.EncodeToString(h.Sum(nil)[:16]))
}

// between returns the position of the ith of several events that lead from
// one state to another. No state has it, so that whoever brings it to a source
// that hasn't emitted it gets the state.
func between(from, to adapters.Position, i int) adapters.Position {
	return positionOf(fmt.Appendf(nil, "%s %s %d", from, to, i))
}

// read makes a document of the first page, whose answer is a, and of those
// that follow it, and takes the cursor from the last.
func (p *poller) read(ctx context.Context, q question, found *finding, a answer, s *scope) error {
	var joined []byte
	for n := 1; ; n++ {
		found.status = a.status
		pg, next, err := p.readPage(ctx, q, a, s, n)
		if err == nil && p.options.paged() {
			joined, err = join(joined, pg)
		}
		if err == nil && next != nil && n == p.options.Pages.Max {
			found.more, next = true, nil
			if !p.goesOn() {
				err = errManyPages
			}
		}
		if err != nil {
			p.count(outcome(a.status, err))
			return err
		}
		if pg.cursor != "" {
			found.cursor = pg.cursor
		}
		if next == nil {
			p.conclude(found, pg, joined, n)
			return nil
		}
		p.count(outcome(a.status, nil))
		if a, err = p.exchange(ctx, next, validators{}, false); err != nil {
			return err
		}
	}
}

// readPage makes a page of an answer, which is the nth of a poll, and the request
// for the next page, if that is needed.
func (p *poller) readPage(ctx context.Context, q question, a answer, s *scope, n int) (page, *http.Request, error) {
	pg, err := p.page(ctx, a, s)
	if err != nil || !p.options.paged() {
		return pg, nil, err
	}
	next, err := p.follow(ctx, pg, s, n)
	if err != nil || next == nil || q.enough == nil || pg.nothing {
		return pg, next, err
	}
	enough, err := q.enough(ctx, &finding{doc: pg.doc, cursor: pg.cursor, first: a})
	if enough {
		next = nil
	}
	return pg, next, err
}

// newestFirst reports whether what is new is always on the first page.
func (f *factory) newestFirst() bool {
	return f.options.Emit == emitAppend && f.options.Items.Order == newestFirst
}

// goesOn reports whether it is of use to know some of the pages, but not all:
// the next poll goes on behind them, or they are the newest.
func (f *factory) goesOn() bool {
	return f.options.Emit == emitAppend && (f.options.Items.Order == newestFirst || f.code.cursor != nil)
}

// conclude makes the document of the last page, which is the nth, and of the
// elements of all pages.
func (p *poller) conclude(found *finding, last page, elements []byte, n int) {
	if !p.options.paged() {
		found.doc, found.nothing, found.validators = last.doc, last.nothing, last.answer.validators()
		return
	}
	found.doc = document{json: true, data: slices.Concat([]byte{'['}, elements, []byte{']'})}
	// The first page may stay as it is while a second one comes to be.
	if n == 1 && p.newestFirst() {
		found.validators = last.answer.validators()
	}
}

// A page is one answer, decoded.
type page struct {
	doc     document
	nothing bool   // select yields nothing
	value   any    // of the answer, before select, if an expression looks at it
	cursor  string // empty: none
	answer  answer
}

func (p *poller) page(ctx context.Context, a answer, s *scope) (page, error) {
	pg := page{answer: a}
	raw, err := p.decode(a)
	if err != nil {
		return pg, err
	}
	p.showDocument(raw)
	looks := p.code.choose != nil || p.code.cursor != nil || p.code.next != nil
	if !looks {
		pg.doc, err = canonical(raw)
		return pg, err
	}
	if pg.value, err = value(raw); err != nil {
		return pg, err
	}
	s.answer = &a
	values := s.values()
	if p.code.cursor != nil {
		if pg.cursor, err = word(ctx, p.code.cursor, "cursor.next", pg.value, values); err != nil {
			return pg, err
		}
		if _, err := p.target.expand(p.vars, pg.cursor); err != nil || len(pg.cursor) > maxCursor {
			return pg, errCursor // the one before stands
		}
		p.showText("cursor", pg.cursor)
	}
	if p.code.choose == nil {
		pg.doc, err = canonical(raw)
		return pg, err
	}
	v, some, err := first(ctx, p.code.choose, pg.value, values)
	if err != nil || !some {
		pg.nothing = !some
		p.showText("select", "nothing: everything stays as it is")
		return pg, err
	}
	pg.doc, err = p.chosen(v)
	p.showText("select", string(pg.doc.data))
	return pg, err
}

// decode makes JSON, text or bytes of an answer's body.
func (p *poller) decode(a answer) (payload.Document, error) {
	switch {
	case a.status == http.StatusNoContent || a.status == http.StatusResetContent:
		return p.empty(), nil
	case p.options.Emit == emitRaw:
		return payload.Document{Data: a.body}, nil
	}
	doc, err := p.options.Answer.Document(a.header.Get("Content-Type"), a.body)
	if err == nil && !doc.JSON && p.structured() {
		err = fmt.Errorf("%w: it is not JSON, which emit: %s needs", payload.ErrUnreadable, p.options.Emit)
	}
	return doc, err
}

// structured reports whether documents have to be JSON.
func (f *factory) structured() bool {
	return f.options.Emit != emitSnapshot && f.options.Emit != emitRaw || f.options.paged()
}

// empty is what an answer without content stands for.
func (f *factory) empty() payload.Document {
	switch {
	case f.options.Emit == emitItems || f.options.Emit == emitAppend || f.options.paged():
		return payload.Document{JSON: true, Data: []byte("[]")}
	case f.structured():
		return payload.Document{JSON: true, Data: []byte("null")}
	default:
		return payload.Document{}
	}
}

// chosen makes a document of what select yields: text of text, where that
// will do, and JSON of anything else.
func (f *factory) chosen(v any) (document, error) {
	if text, ok := v.(string); ok && !f.structured() {
		return document{data: []byte(text)}, nil
	}
	data, err := jq.Encode(v)
	if err != nil {
		return document{}, err
	}
	return canonical(payload.Document{JSON: true, Data: data})
}

// canonical returns raw in a form in which equal documents have equal bytes.
func canonical(raw payload.Document) (document, error) {
	if !raw.JSON {
		return document{data: raw.Data}, nil
	}
	data, err := jsondoc.Canonical(raw.Data)
	if err != nil {
		return document{}, fmt.Errorf("%w: %w", payload.ErrUnreadable, err)
	}
	return document{json: true, data: data}, nil
}

// value returns raw as expressions see it.
func value(raw payload.Document) (any, error) {
	if raw.JSON {
		v, err := jq.Decode(raw.Data)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", payload.ErrUnreadable, err)
		}
		return v, nil
	}
	if !utf8.Valid(raw.Data) {
		return nil, fmt.Errorf("%w: it is neither JSON nor text, which expressions need", payload.ErrUnreadable)
	}
	return string(raw.Data), nil
}

// join appends the elements of a page to those of the pages before.
func join(elements []byte, pg page) ([]byte, error) {
	if pg.nothing {
		return elements, nil
	}
	inner, opened := bytes.CutPrefix(pg.doc.data, []byte{'['})
	if !pg.doc.json || !opened {
		return nil, fmt.Errorf("%w: a page is not an array (select can make it one)", payload.ErrUnreadable)
	}
	inner = inner[:len(inner)-1]
	if len(elements) > 0 && len(inner) > 0 {
		elements = append(elements, ',')
	}
	return append(elements, inner...), nil
}
