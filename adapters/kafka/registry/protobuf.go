package registry

import (
	"encoding/binary"
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/dynamicpb"
)

// A protoDecoder makes JSON of Protobuf messages
// (https://protobuf.dev/programming-guides/json/).
type protoDecoder struct {
	root     protoreflect.FileDescriptor
	types    *dynamicpb.Types
	messages map[protoreflect.FullName]*protoMessage
	defaults bool
}

// A protoMessage is a type of messages, ready for writing.
type protoMessage struct {
	desc     protoreflect.MessageDescriptor
	special  specialMessage
	fields   []protoField
	extended bool // it may have extensions
}

// A protoField is a field of a message.
type protoField struct {
	desc    protoreflect.FieldDescriptor
	key     []byte        // in quotes, with a colon behind it
	message *protoMessage // of the value, the elements or the map's values; nil if those are no messages
}

func newProtoDecoder(root protoreflect.FileDescriptor, files *protoregistry.Files, o Protobuf) *protoDecoder {
	d := &protoDecoder{
		root:     root,
		types:    dynamicpb.NewTypes(files),
		messages: map[protoreflect.FullName]*protoMessage{},
		defaults: o.Defaults,
	}
	files.RangeFiles(func(f protoreflect.FileDescriptor) bool {
		d.add(f.Messages())
		return true
	})
	for _, m := range d.messages {
		m.extended = m.desc.ExtensionRanges().Len() > 0
		m.fields = make([]protoField, m.desc.Fields().Len())
		for i := range m.fields {
			f := m.desc.Fields().Get(i)
			name := f.JSONName()
			if o.Names == namesProto {
				name = f.TextName()
			}
			m.fields[i] = protoField{desc: f, key: keyed(name), message: d.messageOf(f)}
		}
	}
	return d
}

func (d *protoDecoder) add(list protoreflect.MessageDescriptors) {
	for i := range list.Len() {
		m := list.Get(i)
		d.messages[m.FullName()] = &protoMessage{desc: m, special: specialOf(m)}
		d.add(m.Messages())
	}
}

// messageOf returns the type of the messages that are values of f, or nil.
func (d *protoDecoder) messageOf(f protoreflect.FieldDescriptor) *protoMessage {
	if f.IsMap() {
		f = f.MapValue()
	}
	if f.Message() == nil {
		return nil
	}
	return d.messages[f.Message().FullName()]
}

func (d *protoDecoder) decode(f frame, limit int) ([]byte, error) {
	index, data := f.data, f.data
	if f.inHeader {
		index = f.header
	}
	m, rest, err := d.find(index)
	if err != nil {
		return nil, err
	}
	if !f.inHeader {
		data = rest
	}
	message := dynamicpb.NewMessage(m.desc)
	if !d.unmarshal(data, message, maxDepth) {
		return nil, fmt.Errorf("it is no message %s", m.desc.FullName())
	}
	w := protoWriter{protoDecoder: d, out: make([]byte, 0, firstGuess(len(data), limit)), limit: limit}
	if err := w.message(message, m); err != nil {
		return nil, err
	}
	return bounded(w.out, limit)
}

// unmarshal reads a message, up to depth deep, and reports whether data is one.
// Required fields may be absent, and what the schema doesn't know is left out.
func (d *protoDecoder) unmarshal(data []byte, m proto.Message, depth int) (ok bool) {
	// The library panics at an entry of a map that has its key a second time
	// with another wire type (1.36.12). Nobody but m, which is then of no use,
	// has seen the data.
	defer func() {
		if recover() != nil {
			ok = false
		}
	}()
	o := proto.UnmarshalOptions{AllowPartial: true, DiscardUnknown: true, Resolver: d.types, RecursionLimit: depth}
	return o.Unmarshal(data, m) == nil
}

var errIndex = errors.New("it doesn't say which message of the schema it is")

// find returns the type of a message by its indexes: how many there are, the
// one of the message in the file, of a message within that, and so on, each as
// a varint in zigzag encoding. A single 0 stands for the first message.
func (d *protoDecoder) find(b []byte) (m *protoMessage, rest []byte, err error) {
	next := func() int64 {
		n, size := binary.Varint(b)
		if size <= 0 {
			return -1
		}
		b = b[size:]
		return n
	}
	count := next()
	if count < 0 {
		return nil, nil, errIndex
	}
	list := d.root.Messages()
	var found protoreflect.MessageDescriptor
	for range max(count, 1) { // ends where messages don't nest any deeper
		index := int64(0)
		if count > 0 {
			index = next()
		}
		if index < 0 || index >= int64(list.Len()) {
			return nil, nil, errIndex
		}
		found = list.Get(int(index))
		list = found.Messages()
	}
	return d.messages[found.FullName()], b, nil
}
