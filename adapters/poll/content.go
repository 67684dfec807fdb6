package poll

import (
	"bytes"
	"context"
	"fmt"

	"sidestream/adapters"
	"sidestream/adapters/jq"
	"sidestream/adapters/poll/jsondoc"
)

// content is what a stream has delivered, or is about to, as the route's
// emit has it.
type content interface {
	position() adapters.Position

	// state is all of it, in memory that nobody else uses. It is asked for
	// once at most.
	state() adapters.State

	// changes returns events that lead here from another content of the same
	// kind, without positions, or none if the state is better sent as a
	// whole. same says that nothing has changed that counts as a change.
	changes(from content) (events []adapters.Event, same bool)
}

// newContent makes content of what was found. The error is one of the answer.
func (s *stateSource) newContent(ctx context.Context, found *finding) (content, error) {
	if s.options.Emit == emitItems {
		return s.collect(ctx, found)
	}
	w := &whole{stateSource: s, doc: found.doc, typ: s.options.Type, pos: positionOf([]byte(s.env.Form), found.doc.data)}
	if s.options.Emit == emitPatch || s.options.Emit == emitMerge {
		w.typ = typeSnapshot
	}
	var err error
	w.bare, err = s.without(ctx, found.doc)
	return w, err
}

// without returns the document as ignoring expressions leave it.
func (f *factory) without(ctx context.Context, doc document) ([]byte, error) {
	if len(f.code.ignore) == 0 || !doc.json {
		return doc.data, nil
	}
	v, err := jq.Decode(doc.data)
	if err != nil {
		return nil, err
	}
	for _, x := range f.code.ignore {
		var some bool
		if v, some, err = first(ctx, x, v, (&scope{}).values()); err != nil {
			return nil, err
		}
		if !some {
			return nil, fmt.Errorf("%w: poll.ignore yields nothing; it is to yield the document without what is ignored", errExpression)
		}
	}
	data, err := jq.Encode(v)
	if err != nil {
		return nil, err
	}
	return jsondoc.Canonical(data)
}

// whole is a document that is delivered as one, and as the emits patch and
// merge have it.
type whole struct {
	*stateSource
	typ  string
	doc  document
	bare []byte // the part of doc that counts
	pos  adapters.Position
}

func (w *whole) position() adapters.Position { return w.pos }

func (w *whole) state() adapters.State {
	data := w.doc.data
	if w.compares() {
		data = bytes.Clone(data)
	}
	return adapters.State{Type: w.typ, Data: data}
}

// release lets go of the document if no later one is compared with it.
func (w *whole) release() {
	if !w.compares() {
		w.doc, w.bare = document{}, nil
	}
}

// compares reports whether a document is compared with the one before, other
// than by its position.
func (s *stateSource) compares() bool {
	return s.options.Emit == emitPatch || s.options.Emit == emitMerge || len(s.options.Ignore) > 0
}

func (w *whole) changes(from content) (events []adapters.Event, same bool) {
	before := from.(*whole)
	if w.pos == before.pos || w.compares() && w.doc.json && before.doc.json && w.differ.Same(before.bare, w.bare) {
		return nil, true
	}
	limit := int(float64(len(w.doc.data)) * float64(w.options.MaxPatch))
	switch w.options.Emit {
	case emitPatch:
		patch, notes, ok := w.differ.Patch(before.doc.data, w.doc.data, limit)
		w.note(notes)
		if ok {
			return []adapters.Event{{Type: typePatch, Data: patch}}, false
		}
	case emitMerge:
		if patch, ok := w.differ.Merge(before.doc.data, w.doc.data, limit); ok {
			return []adapters.Event{{Type: typeMerge, Data: patch}}, false
		}
	default: // as a whole
	}
	return nil, false
}

// note logs that arrays had to be compared without their keys.
func (s *stateSource) note(notes []jsondoc.Note) {
	for _, n := range notes {
		s.once("the array " + n.Pointer + " can't be compared by its key (array_keys), which is " + n.Problem +
			"; it is compared as if it had none")
	}
}

// once logs a complaint, if it is the first of its kind. There are as many
// kinds as the configuration has arrays and ways to be wrong.
func (s *stateSource) once(complaint string) {
	if s.noted == nil {
		s.noted = map[string]bool{}
	}
	if !s.noted[complaint] {
		s.noted[complaint] = true
		s.env.Log.Warn().Msg(complaint)
	}
}
