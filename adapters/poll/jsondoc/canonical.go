package jsondoc

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"slices"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

const (
	// MaxDepth is how deeply objects and arrays may be nested. It holds for
	// everything in this package, which recurses no deeper.
	MaxDepth = 1000

	// MaxSize is the greatest length of a document, in bytes.
	MaxSize = math.MaxInt32
)

var (
	errSize  = fmt.Errorf("it is longer than %d bytes", MaxSize)
	errUTF8  = errors.New("it is not UTF-8")
	errDepth = fmt.Errorf("it is nested deeper than %d levels", MaxDepth)
)

// Canonical returns the canonical form of a JSON text (RFC 8259):
//
//   - no white space;
//   - members in the order of their names' bytes, as they are written here;
//   - strings in their shortest form, escaped only where section 7 of the RFC
//     demands it;
//   - numbers as they were written: 1e400, 0.10, -0 and 30 digits stay.
//
// Of members with the same name the last one stands. Half of a surrogate pair,
// which section 8.2 of the RFC calls unpredictable, becomes U+FFFD. A byte
// order mark in front is ignored (section 8.1).
//
// It is an error if body is not one JSON text, is not UTF-8, or exceeds
// [MaxDepth] or [MaxSize]. The error names a place, never what is there. The
// result is never longer than body, and never shares memory with it.
func Canonical(body []byte) ([]byte, error) {
	if len(body) > MaxSize {
		return nil, errSize
	}
	body = bytes.TrimPrefix(body, []byte("\xef\xbb\xbf"))
	if !utf8.Valid(body) {
		return nil, errUTF8
	}
	// That body is UTF-8 is known, so what AllowInvalidUTF8 lets pass is half
	// surrogates. Members are not ordered here: jsontext, too, orders those of
	// equal names, so that the last one can't be told any more.
	text, err := jsontext.AppendFormat(nil, body, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	if err != nil {
		return nil, syntaxError(err)
	}
	t, ok := read(text, nil)
	if !ok {
		return nil, errDepth // nothing else is left to be wrong
	}
	if t.ordered() {
		return text, nil
	}
	w := sorter{tape: &t, out: make([]byte, 0, len(text))}
	w.write(0)
	return w.out, nil
}

// syntaxError returns jsontext's error without the names and characters that
// it quotes.
func syntaxError(err error) error {
	var at *jsontext.SyntacticError
	if !errors.As(err, &at) {
		return errors.New("it is not JSON")
	}
	return fmt.Errorf("it is not JSON, which shows at byte %d", at.ByteOffset)
}

// ordered reports whether all objects have their members in order, and each
// name once.
func (t *tape) ordered() bool {
	for n := range uint32(len(t.nodes)) {
		if t.kind(n) != '{' {
			continue
		}
		var last []byte
		for c := t.inside(n); c.more(); c.advance() {
			if name := c.name(); last != nil && bytes.Compare(last, name) >= 0 {
				return false
			}
			last = c.name()
		}
	}
	return true
}

// A sorter writes a document with its members in order.
type sorter struct {
	tape *tape
	out  []byte
	open []cursor // the members of the objects around, as a stack
}

func (w *sorter) write(n uint32) {
	switch w.tape.kind(n) {
	case '[':
		w.out = append(w.out, '[')
		for c := w.tape.inside(n); c.more(); c.advance() {
			w.comma('[')
			w.write(c.at)
		}
		w.out = append(w.out, ']')
	case '{':
		w.object(n)
	default:
		w.out = append(w.out, w.tape.value(n)...)
	}
}

func (w *sorter) object(n uint32) {
	first := len(w.open)
	for c := w.tape.inside(n); c.more(); c.advance() {
		w.open = append(w.open, c)
	}
	// Of equal names, the last one is to come last.
	byName := func(a, b cursor) int {
		if c := bytes.Compare(a.name(), b.name()); c != 0 {
			return c
		}
		return int(a.at) - int(b.at)
	}
	if list := w.open[first:]; !slices.IsSortedFunc(list, byName) {
		slices.SortFunc(list, byName)
	}
	w.out = append(w.out, '{')
	end := len(w.open)
	for i := first; i < end; i++ {
		c := w.open[i]
		if i+1 < end && bytes.Equal(c.name(), w.open[i+1].name()) {
			continue
		}
		w.comma('{')
		w.out = append(append(append(w.out, '"'), c.name()...), '"', ':')
		w.write(c.at)
	}
	w.out = append(w.out, '}')
	w.open = w.open[:first]
}

// comma separates what follows from what stands, unless that is the bracket
// of the container.
func (w *sorter) comma(bracket byte) {
	if w.out[len(w.out)-1] != bracket {
		w.out = append(w.out, ',')
	}
}
