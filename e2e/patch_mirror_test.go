package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	jsonpatch "github.com/evanphx/json-patch/v5"
)

// A mirror replays what clients of one route have received of a ledger, as a
// page would, and finds whoever was ever wrong. What several clients have
// received is worked out once.
type mirror struct {
	items bool // the route has emit: items

	mu     sync.Mutex // guards all that follows
	places map[string][]int
	ids    map[string]string // of states
	states map[string]string // by id
	memo   map[step]outcome
	known  []string // states, to name them by number
	number map[string]int
}

// A step is an event received in a state, by its number; -1: none.
type step struct {
	state     int
	typ, data string
}

type outcome struct {
	state int
	err   error
}

// newMirror returns a mirror of what the ledger has served until now.
func newMirror(l *ledger, route string) *mirror {
	m := &mirror{
		items: route == "items", places: map[string][]int{}, ids: map[string]string{}, states: map[string]string{},
		memo: map[step]outcome{}, number: map[string]int{},
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	before := ""
	for i, version := range l.versions {
		if state := m.view(version); state != before {
			m.places[state] = append(m.places[state], i)
			before = state
		}
	}
	return m
}

// view returns what a client of the route has when it has the document.
func (m *mirror) view(document string) string {
	if !m.items {
		return document
	}
	rows := map[string]any{}
	for _, row := range decoded(document).(map[string]any)["rows"].([]any) {
		rows[keyOf(row)] = row
	}
	return encoded(rows)
}

func keyOf(row any) string { return fmt.Sprint(row.(map[string]any)["id"]) }

// replay returns the state that events lead to. It is an error if one of
// them can't be applied, or leads to what the ledger never served, or back in
// its history, or has another id than the state has elsewhere.
func (m *mirror) replay(events []received) (string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	state, place, id := -1, -1, ""
	for i, e := range events {
		fail := func(format string, args ...any) (string, error) {
			return "", fmt.Errorf("event %d of %d (%s, id %s, connection %d): %s: %.300q",
				i, len(events), e.Type, e.ID, e.Connection, fmt.Sprintf(format, args...), e.Data)
		}
		if strings.HasPrefix(e.Type, "stream.") {
			if e.ID != id {
				return fail("got a control event with id %q, want that of the event before, %q", e.ID, id)
			}
			if e.Type == "stream.gap" {
				return fail("got a gap, want none: a state makes up for all that is missed")
			}
			continue
		}
		next := m.apply(step{state, e.Type, e.Data})
		if next.err != nil {
			return fail("%v", next.err)
		}
		state, id = next.state, e.ID
		text := m.known[state]
		at, served := m.after(text, place)
		partial := m.items && e.Type != "snapshot"
		switch {
		case served:
			place = at
		case !partial:
			return fail("got a state that the API did not have after version %d (it had it at %v)", place, m.places[text])
		}
		if partial {
			continue // one of several events may lead to any state by chance, with an id of its own
		}
		if before, ok := m.ids[text]; ok && before != e.ID {
			return fail("got id %s of a state that has id %s elsewhere", e.ID, before)
		}
		if before, ok := m.states[e.ID]; ok && before != text {
			return fail("got the id of another state")
		}
		m.ids[text], m.states[e.ID] = e.ID, text
	}
	if state < 0 {
		return "", nil
	}
	return m.known[state], nil
}

// after returns the first place of a state in the ledger's history that comes
// after another one.
func (m *mirror) after(state string, place int) (int, bool) {
	for _, at := range m.places[state] {
		if at > place {
			return at, true
		}
	}
	return 0, false
}

func (m *mirror) apply(s step) outcome {
	if s.typ == "snapshot" {
		s.state = -1
	}
	o, ok := m.memo[s]
	if !ok {
		var text string
		text, o.err = m.applied(s)
		o.state, ok = m.number[text]
		if o.err == nil && !ok {
			o.state = len(m.known)
			m.known, m.number[text] = append(m.known, text), o.state
		}
		m.memo[s] = o
	}
	return o
}

func (m *mirror) applied(s step) (string, error) {
	if !json.Valid([]byte(s.data)) {
		return "", errors.New("got something else than JSON")
	}
	if s.typ == "snapshot" {
		if !m.items {
			return canonical(s.data), nil
		}
		rows := map[string]any{}
		for _, pair := range decoded(s.data).([]any) {
			rows[pair.([]any)[0].(string)] = pair.([]any)[1]
		}
		return encoded(rows), nil
	}
	if s.state < 0 {
		return "", errors.New("got a change before any state")
	}
	before := m.known[s.state]
	switch s.typ {
	case "patch":
		patch, err := jsonpatch.DecodePatch([]byte(s.data))
		if err != nil {
			return "", err
		}
		after, err := patch.Apply([]byte(before))
		if err != nil {
			return "", fmt.Errorf("the patch does not fit: %w", err)
		}
		return canonical(string(after)), nil
	case "merge":
		return encoded(merged(decoded(before), decoded(s.data))), nil
	case "upsert":
		rows, row := decoded(before).(map[string]any), decoded(s.data)
		rows[keyOf(row)] = row
		return encoded(rows), nil
	case "delete":
		rows, key := decoded(before).(map[string]any), decoded(s.data).(map[string]any)["key"].(string)
		if _, ok := rows[key]; !ok {
			return "", errors.New("got a delete of a row that isn't there")
		}
		delete(rows, key)
		return encoded(rows), nil
	}
	return "", errors.New("got an event of an unknown type")
}

// merged applies a merge patch as RFC 7396, section 2, has it.
func merged(target, patch any) any {
	members, ok := patch.(map[string]any)
	if !ok {
		return patch
	}
	object, ok := target.(map[string]any)
	if !ok {
		object = map[string]any{}
	}
	for name, value := range members {
		if value == nil {
			delete(object, name)
		} else {
			object[name] = merged(object[name], value)
		}
	}
	return object
}

// types returns how many events there are of each type.
func types(events []received) map[string]int {
	n := map[string]int{}
	for _, e := range events {
		n[e.Type]++
	}
	return n
}

// id returns the id that a client has.
func (c *client) id() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.lastID
}

// states returns the events but those of the stream itself.
func states(events []received) []received {
	return slices.DeleteFunc(slices.Clone(events), func(e received) bool { return strings.HasPrefix(e.Type, "stream.") })
}
