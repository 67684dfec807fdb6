package registry

import (
	"cmp"
	"encoding/base64"
	"slices"
	"strconv"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// A protoWriter writes a message as ProtoJSON. The library's own writer isn't
// used, as it has no bound and puts white space at random.
type protoWriter struct {
	*protoDecoder
	out   []byte
	limit int // of out; at most one value more is written
	depth int
	anys  int // how many messages of type Any the current one is within
}

func (w *protoWriter) message(m protoreflect.Message, t *protoMessage) error {
	if w.depth == maxDepth {
		return errTooDeep
	}
	w.depth++
	defer func() { w.depth-- }()
	if t.special != specialNone {
		return w.special(m, t)
	}
	w.out = append(w.out, '{')
	if err := w.fields(m, t, true); err != nil {
		return err
	}
	w.out = append(w.out, '}')
	return nil
}

// fields writes the members of an object. first says that there is none yet.
func (w *protoWriter) fields(m protoreflect.Message, t *protoMessage, first bool) error {
	for i := range t.fields {
		f := &t.fields[i]
		if !m.Has(f.desc) && (!w.defaults || f.desc.HasPresence()) {
			continue
		}
		if err := w.member(f.key, m.Get(f.desc), f, first); err != nil {
			return err
		}
		first = false
	}
	if !t.extended {
		return nil
	}
	for _, f := range w.extensions(m) {
		if err := w.member(f.key, m.Get(f.desc), &f, first); err != nil {
			return err
		}
		first = false
	}
	return nil
}

// extensions returns the extension fields that m has, by name.
func (w *protoWriter) extensions(m protoreflect.Message) []protoField {
	var found []protoField
	m.Range(func(f protoreflect.FieldDescriptor, _ protoreflect.Value) bool {
		if f.IsExtension() {
			found = append(found, protoField{f, keyed("[" + string(f.FullName()) + "]"), w.messageOf(f)})
		}
		return true
	})
	slices.SortFunc(found, func(a, b protoField) int { return cmp.Compare(a.desc.FullName(), b.desc.FullName()) })
	return found
}

func (w *protoWriter) member(key []byte, v protoreflect.Value, f *protoField, first bool) error {
	if len(w.out) > w.limit {
		return errTooLarge
	}
	if !first {
		w.out = append(w.out, ',')
	}
	w.out = append(w.out, key...)
	switch {
	case f.desc.IsList():
		return w.list(v.List(), f)
	case f.desc.IsMap():
		return w.mapping(v.Map(), f)
	default:
		return w.value(v, f.desc, f.message)
	}
}

func (w *protoWriter) list(list protoreflect.List, f *protoField) error {
	w.out = append(w.out, '[')
	for i := range list.Len() {
		if i > 0 {
			w.out = append(w.out, ',')
		}
		if err := w.value(list.Get(i), f.desc, f.message); err != nil {
			return err
		}
	}
	w.out = append(w.out, ']')
	return nil
}

// mapping writes a map in the order of its keys, so that the same message has
// the same text.
func (w *protoWriter) mapping(entries protoreflect.Map, f *protoField) error {
	keys := make([]protoreflect.MapKey, 0, entries.Len())
	entries.Range(func(k protoreflect.MapKey, _ protoreflect.Value) bool {
		keys = append(keys, k)
		return true
	})
	slices.SortFunc(keys, compareKeys)
	w.out = append(w.out, '{')
	for i, k := range keys {
		if i > 0 {
			w.out = append(w.out, ',')
		}
		var err error
		if w.out, err = appendQuoted(w.out, k.String()); err != nil {
			return err
		}
		w.out = append(w.out, ':')
		if err := w.value(entries.Get(k), f.desc.MapValue(), f.message); err != nil {
			return err
		}
	}
	w.out = append(w.out, '}')
	return nil
}

// compareKeys compares keys of one map: false before true, numbers, texts.
func compareKeys(a, b protoreflect.MapKey) int {
	switch x := a.Interface().(type) {
	case bool:
		if x == b.Bool() {
			return 0
		}
		if x {
			return 1
		}
		return -1
	case int32, int64:
		return cmp.Compare(a.Int(), b.Int())
	case uint32, uint64:
		return cmp.Compare(a.Uint(), b.Uint())
	default:
		return cmp.Compare(a.String(), b.String())
	}
}

// value writes a value of a field, an element of it, or the value of an entry.
func (w *protoWriter) value(v protoreflect.Value, f protoreflect.FieldDescriptor, message *protoMessage) (err error) {
	if len(w.out) > w.limit {
		return errTooLarge
	}
	switch f.Kind() {
	case protoreflect.BoolKind:
		w.out = strconv.AppendBool(w.out, v.Bool())
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind:
		w.out = strconv.AppendInt(w.out, v.Int(), 10)
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		w.out = strconv.AppendUint(w.out, v.Uint(), 10)
	case protoreflect.Int64Kind, protoreflect.Sint64Kind, protoreflect.Sfixed64Kind:
		w.out = append(strconv.AppendInt(append(w.out, '"'), v.Int(), 10), '"')
	case protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		w.out = append(strconv.AppendUint(append(w.out, '"'), v.Uint(), 10), '"')
	case protoreflect.FloatKind:
		w.out = appendFloat(w.out, v.Float(), 32)
	case protoreflect.DoubleKind:
		w.out = appendFloat(w.out, v.Float(), 64)
	case protoreflect.StringKind:
		w.out, err = appendQuoted(w.out, v.String())
	case protoreflect.BytesKind:
		w.out = append(base64.StdEncoding.AppendEncode(append(w.out, '"'), v.Bytes()), '"')
	case protoreflect.EnumKind:
		w.enum(v.Enum(), f.Enum())
	default: // MessageKind, GroupKind
		err = w.message(v.Message(), message)
	}
	return err
}

// enum writes the name of a value, or its number if the schema has none.
func (w *protoWriter) enum(n protoreflect.EnumNumber, e protoreflect.EnumDescriptor) {
	known := e.Values().ByNumber(n)
	switch {
	case e.FullName() == nullValue && isStandard(e):
		w.out = append(w.out, "null"...)
	case known == nil:
		w.out = strconv.AppendInt(w.out, int64(n), 10)
	default:
		w.out = append(w.out, '"')
		w.out = append(w.out, known.Name()...) // an identifier
		w.out = append(w.out, '"')
	}
}
