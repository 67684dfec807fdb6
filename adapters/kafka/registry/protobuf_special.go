package registry

import (
	"encoding/base64"
	"fmt"

	"github.com/go-json-experiment/json/jsontext"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/dynamicpb"
)

// A specialMessage says how a message is written for which ProtoJSON has a
// form of its own.
type specialMessage uint8

const (
	specialNone    specialMessage = iota
	specialAny                    // as the message that it holds
	specialWrapper                // as the value that it holds
	specialLibrary                // as the library writes it
)

const nullValue = "google.protobuf.NullValue"

// specialOf returns how m is written. One that merely has the name of a
// well-known type is a message like others.
func specialOf(m protoreflect.MessageDescriptor) specialMessage {
	special := map[protoreflect.FullName]specialMessage{
		"google.protobuf.Any":         specialAny,
		"google.protobuf.BoolValue":   specialWrapper,
		"google.protobuf.Int32Value":  specialWrapper,
		"google.protobuf.Int64Value":  specialWrapper,
		"google.protobuf.UInt32Value": specialWrapper,
		"google.protobuf.UInt64Value": specialWrapper,
		"google.protobuf.FloatValue":  specialWrapper,
		"google.protobuf.DoubleValue": specialWrapper,
		"google.protobuf.StringValue": specialWrapper,
		"google.protobuf.BytesValue":  specialWrapper,
		"google.protobuf.Timestamp":   specialLibrary,
		"google.protobuf.Duration":    specialLibrary,
		"google.protobuf.FieldMask":   specialLibrary,
		"google.protobuf.Struct":      specialLibrary,
		"google.protobuf.Value":       specialLibrary,
		"google.protobuf.ListValue":   specialLibrary,
	}[m.FullName()]
	if special != specialNone && !isStandard(m) {
		return specialNone
	}
	return special
}

// isStandard reports whether d is what comes with Protobuf under its name.
func isStandard(d protoreflect.Descriptor) bool {
	std, err := protoregistry.GlobalFiles.FindDescriptorByName(d.FullName())
	return err == nil && std == d
}

func (w *protoWriter) special(m protoreflect.Message, t *protoMessage) error {
	switch t.special {
	case specialAny:
		return w.any(m, t)
	case specialWrapper:
		f := &t.fields[0]
		return w.value(m.Get(f.desc), f.desc, nil)
	default:
		text, err := protojson.MarshalOptions{AllowPartial: true}.Marshal(m.Interface())
		if err != nil {
			return fmt.Errorf("a %s in it has a value that JSON has no form for", t.desc.FullName())
		}
		// The library puts white space where it likes, so that nobody relies
		// on there being some or none.
		compact := jsontext.Value(text)
		if err := compact.Compact(); err != nil {
			return fmt.Errorf("a %s in it has a value that JSON has no form for", t.desc.FullName())
		}
		w.out = append(w.out, compact...)
		return nil
	}
}

// maxAnys is how deep messages of type Any may be within each other. Each level
// has a copy of what is in it.
const maxAnys = 16

// any writes a message of a type that only it knows. If the schema doesn't have
// that type, the bytes are the "value".
func (w *protoWriter) any(m protoreflect.Message, t *protoMessage) error {
	if w.anys == maxAnys {
		return errTooDeep
	}
	url := m.Get(t.fields[0].desc).String()
	data := m.Get(t.fields[1].desc).Bytes()
	if url == "" && len(data) == 0 {
		w.out = append(w.out, "{}"...)
		return nil
	}
	var err error
	w.out = append(w.out, `{"@type":`...)
	if w.out, err = appendQuoted(w.out, url); err != nil {
		return err
	}
	if held, inner := w.held(url, data); held != nil {
		w.anys++
		err = w.holding(held, inner)
		w.anys--
	} else {
		w.out = append(w.out, `,"value":"`...)
		w.out = base64.StdEncoding.AppendEncode(w.out, data)
		w.out = append(w.out, '"')
	}
	w.out = append(w.out, '}')
	return err
}

// held returns the message that an Any holds, or nil if it can't be read.
func (w *protoWriter) held(url string, data []byte) (protoreflect.Message, *protoMessage) {
	mt, err := w.types.FindMessageByURL(url)
	if err != nil {
		return nil, nil
	}
	inner := w.messages[mt.Descriptor().FullName()]
	message := dynamicpb.NewMessage(mt.Descriptor())
	if inner == nil || !w.unmarshal(data, message, maxDepth-w.depth) {
		return nil, nil
	}
	return message, inner
}

// holding writes what an Any holds behind its type.
func (w *protoWriter) holding(m protoreflect.Message, t *protoMessage) error {
	if t.special == specialNone {
		return w.fields(m, t, false)
	}
	w.out = append(w.out, `,"value":`...)
	return w.message(m, t)
}
