package poll

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"sidestream/adapters"
	"sidestream/adapters/jq"
	"sidestream/adapters/poll/jsondoc"
	"sidestream/adapters/poll/payload"
)

// An item is one element of a list, as its event will have it.
type item struct {
	key  string
	typ  string
	data []byte // as it is sent
	json []byte // as JSON, canonical
}

// items takes a document apart. The error is one of the answer.
func (p *poller) items(ctx context.Context, found *finding) ([]item, error) {
	if found.nothing {
		return nil, nil
	}
	v, err := value(payload.Document{JSON: found.doc.json, Data: found.doc.data})
	if err != nil {
		return nil, err
	}
	s := newScope(p.vars)
	s.cursor, s.answer = found.cursor, &found.first
	values := s.values()
	all, err := p.code.each.All(ctx, p.options.Items.Max, v, values...)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errExpression, err)
	}
	list := make([]item, len(all))
	for i, v := range all {
		if list[i], err = p.item(ctx, v, values); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// maxKey is the longest key of an item, in bytes.
const maxKey = 1024

func (p *poller) item(ctx context.Context, v any, values []any) (i item, err error) {
	if i.key, err = word(ctx, p.code.key, "items.key", v, values); err != nil {
		return i, err
	}
	if i.key == "" || len(i.key) > maxKey {
		return i, fmt.Errorf("%w: items.key yields no key for an item, or one of more than %d bytes", errExpression, maxKey)
	}
	if p.code.typ != nil {
		if i.typ, err = word(ctx, p.code.typ, "items.type", v, values); err != nil {
			return i, err
		}
		if p.options.Emit == emitItems && (i.typ == typeSnapshot || i.typ == typeDelete) {
			return i, fmt.Errorf("%w: items.type yields %q, which means something else to clients", errExpression, i.typ)
		}
	}
	if p.code.data != nil {
		var some bool
		if v, some, err = first(ctx, p.code.data, v, values); err != nil {
			return i, err
		}
		if !some {
			v = nil
		}
	}
	encoded, err := jq.Encode(v)
	if err != nil {
		return i, err
	}
	if i.json, err = jsondoc.Canonical(encoded); err != nil {
		return i, err
	}
	i.data = i.json
	if text, ok := v.(string); ok {
		i.data = []byte(text)
	}
	return i, nil
}

// A collection is the content of emit: items.
type collection struct {
	*stateSource
	items map[string]*item
	bare  map[string][]byte // what counts of an item, where that is not all of its JSON
	order []string          // keys, sorted
	pos   adapters.Position
}

// collect makes a collection of what was found.
func (s *stateSource) collect(ctx context.Context, found *finding) (content, error) {
	list, err := s.items(ctx, found)
	if err != nil {
		return nil, err
	}
	c := &collection{stateSource: s, items: make(map[string]*item, len(list))}
	for i := range list {
		it := &list[i]
		if c.items[it.key] != nil {
			s.once("two items have the same key; the last one stands")
		} else {
			c.order = append(c.order, it.key)
		}
		c.items[it.key] = it // the last one stands
		if len(s.code.ignore) > 0 {
			if c.bare == nil {
				c.bare = map[string][]byte{}
			}
			if c.bare[it.key], err = s.without(ctx, document{json: true, data: it.json}); err != nil {
				return nil, err
			}
		}
	}
	slices.Sort(c.order)
	s.keep(c)
	return c, nil
}

// keep puts the items that were delivered before in the place of those that
// differ only in what is ignored, so that c is what clients have once they
// have received the changes.
func (s *stateSource) keep(c *collection) {
	before, ok := s.content.(*collection)
	if !ok || len(s.options.Ignore) == 0 {
		return
	}
	for key, it := range c.items {
		old := before.items[key]
		if old != nil && old.typ == it.typ && s.differ.Same(before.counts(key), c.counts(key)) {
			c.items[key] = old
		}
	}
}

// counts returns what counts of an item.
func (c *collection) counts(key string) []byte {
	if bare, ok := c.bare[key]; ok {
		return bare
	}
	return c.items[key].json
}

func (c *collection) position() adapters.Position {
	if c.pos == "" {
		var parts [][]byte
		for _, key := range c.order {
			it := c.items[key]
			parts = append(parts, fmt.Appendf(nil, "%q %q %d\n", key, it.typ, len(it.json)), it.json)
		}
		c.pos = positionOf(append([][]byte{[]byte("items\n" + c.env.Form)}, parts...)...)
	}
	return c.pos
}

// state is the list of all keys and items, as new Map(…) takes it in
// JavaScript.
func (c *collection) state() adapters.State {
	var b bytes.Buffer
	for i, key := range c.order {
		b.WriteString(separator(i))
		b.Write(quote(key))
		b.WriteByte(',')
		b.Write(c.items[key].json)
		b.WriteByte(']')
	}
	if len(c.order) == 0 {
		b.WriteByte('[')
	}
	b.WriteByte(']')
	return adapters.State{Type: typeSnapshot, Data: b.Bytes()}
}

func separator(i int) string {
	if i == 0 {
		return "[["
	}
	return ",["
}

func (c *collection) changes(from content) (events []adapters.Event, same bool) {
	before := from.(*collection)
	if c.position() == before.position() {
		return nil, true
	}
	size, total, former := 0, 0, 0
	for _, key := range before.order {
		former += len(key) + len(before.items[key].json)
		if c.items[key] == nil {
			events = append(events, adapters.Event{Type: typeDelete, Data: slices.Concat([]byte(`{"key":`), quote(key), []byte{'}'})})
			size += len(key)
		}
	}
	for _, key := range c.order {
		it, old := c.items[key], before.items[key]
		total += len(key) + len(it.json)
		if old != nil && old.typ == it.typ && bytes.Equal(old.json, it.json) {
			continue
		}
		typ := it.typ
		if typ == "" {
			typ = typeUpsert
		}
		events = append(events, adapters.Event{Type: typ, Data: bytes.Clone(it.data)})
		size += len(key) + len(it.data)
	}
	if float64(size) > float64(max(total, former))*float64(c.options.MaxPatch) {
		return nil, false
	}
	return events, false
}

// quote returns text as JSON.
func quote(text string) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(strings.ToValidUTF8(text, "\uFFFD")) // neither a writer nor a string fails
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}
