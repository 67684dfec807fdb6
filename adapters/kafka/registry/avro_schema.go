package registry

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/twmb/avro"
)

// compileAvro makes a decoder of an Avro schema. The library checks it and
// resolves its references; reading payloads is the work of avroReader, which
// writes JSON as it goes and is bounded in all that it does.
func compileAvro(s schema, o Avro) (decoder, error) {
	text, err := joinAvro(s)
	if err != nil {
		return nil, err
	}
	// Names are only labels here, so that those are taken too which the
	// specification wouldn't allow, but older registries did.
	parsed, err := avro.Parse(text, avro.WithLaxNames(func(string) error { return nil }))
	if err != nil {
		return nil, unusable("it is no Avro schema: %w", err)
	}
	b := avroBuilder{defined: map[string]*avro.SchemaNode{}, built: map[string]*avroType{}}
	all := parsed.Root()
	b.define(all)
	t, err := b.build(&all.Fields[len(all.Fields)-1].Type, "")
	if err != nil {
		return nil, unusable("it can't be read: %w", err)
	}
	return &avroDecoder{root: t, tagged: o.Unions == unionsTagged}, nil
}

// joinAvro returns a record that has what a schema refers to as the types of
// its fields, and the schema itself as that of the last. (The library has a
// cache for references, which puts all that a schema refers to into it, and
// into what refers to that, and so on: its time grows with the cube of their
// number.)
func joinAvro(s schema) (string, error) {
	type field struct {
		Name string          `json:"name"`
		Type json.RawMessage `json:"type"`
	}
	all := struct {
		Type   string  `json:"type"`
		Name   string  `json:"name"`
		Fields []field `json:"fields"`
	}{Type: "record", Name: "(schema)"}
	for i, ref := range s.references {
		if !json.Valid([]byte(ref.text)) {
			return "", unusable("it refers to %q, which is no Avro schema: it is not JSON", ref.name)
		}
		all.Fields = append(all.Fields, field{strconv.Itoa(i), json.RawMessage(ref.text)})
	}
	if !json.Valid([]byte(s.text)) {
		return "", unusable("it is no Avro schema: it is not JSON")
	}
	all.Fields = append(all.Fields, field{"root", json.RawMessage(s.text)})
	text, err := json.Marshal(all)
	if err != nil {
		return "", unusable("it is no Avro schema: %w", err)
	}
	return string(text), nil
}

// An avroKind is what a type is on the wire.
type avroKind uint8

const (
	avroNull avroKind = iota
	avroBoolean
	avroInt
	avroLong
	avroFloat
	avroDouble
	avroString
	avroBytes
	avroFixed
	avroEnum
	avroArray
	avroMap
	avroRecord
	avroUnion
)

// avroPrimitives are the kinds by the names that the specification gives them.
var avroPrimitives = map[string]avroKind{
	"null": avroNull, "boolean": avroBoolean, "int": avroInt, "long": avroLong,
	"float": avroFloat, "double": avroDouble, "string": avroString, "bytes": avroBytes,
}

// An avroType is a type, ready for reading. Types may refer to themselves.
type avroType struct {
	kind    avroKind
	name    string      // the full one of a record, enum or fixed
	logical avroLogical // none if it isn't one for the kind
	size    int         // of a fixed, in bytes
	scale   int         // of a decimal
	items   *avroType   // of an array, or the values of a map
	fields  []avroField // of a record
	members []avroField // of a union, with their names as keys, as in Avro's JSON encoding
	symbols [][]byte    // of an enum, in quotes
}

// An avroField is a field of a record, or a member of a union.
type avroField struct {
	key []byte // in quotes, with a colon behind it
	typ *avroType
}

// An avroBuilder makes types of what the library has parsed.
type avroBuilder struct {
	defined map[string]*avro.SchemaNode // by full name
	built   map[string]*avroType        // the same
}

// define notes the named types that are defined within n.
func (b *avroBuilder) define(n *avro.SchemaNode) {
	switch n.Type {
	case "record", "error", "enum", "fixed":
		if name := fullName(n); b.defined[name] == nil {
			b.defined[name] = n
		}
		if n.Type == "record" || n.Type == "error" {
			for i := range n.Fields {
				b.define(&n.Fields[i].Type)
			}
		}
	case "array":
		b.define(n.Items)
	case "map":
		b.define(n.Values)
	case "union":
		for i := range n.Branches {
			b.define(&n.Branches[i])
		}
	}
}

func fullName(n *avro.SchemaNode) string {
	switch name := n.Name; {
	case strings.Contains(name, "."):
		return strings.TrimPrefix(name, ".")
	case n.Namespace != "":
		return n.Namespace + "." + name
	default:
		return name
	}
}

// build returns the type of n, which stands in a namespace.
func (b *avroBuilder) build(n *avro.SchemaNode, namespace string) (*avroType, error) {
	if kind, ok := avroPrimitives[n.Type]; ok {
		return &avroType{kind: kind, logical: logicalOf(n, kind), scale: n.Scale}, nil
	}
	switch n.Type {
	case "array":
		items, err := b.build(n.Items, namespace)
		return &avroType{kind: avroArray, items: items}, err
	case "map":
		values, err := b.build(n.Values, namespace)
		return &avroType{kind: avroMap, items: values}, err
	case "union":
		return b.union(n, namespace)
	case "record", "error", "enum", "fixed":
		return b.named(n)
	default:
		return b.refer(n.Type, namespace)
	}
}

// refer returns the type of a name: as it is if it has dots, or else in its
// namespace, or in none (as the library and Java resolve it).
func (b *avroBuilder) refer(name, namespace string) (*avroType, error) {
	candidates := []string{strings.TrimPrefix(name, ".")}
	if !strings.Contains(name, ".") && namespace != "" {
		candidates = []string{namespace + "." + name, name}
	}
	for _, full := range candidates {
		if n := b.defined[full]; n != nil {
			return b.named(n)
		}
	}
	return nil, fmt.Errorf("the type %q is not defined", name)
}

// named returns the type that n defines, which may be under construction.
func (b *avroBuilder) named(n *avro.SchemaNode) (*avroType, error) {
	name := fullName(n)
	if t := b.built[name]; t != nil {
		return t, nil
	}
	t := &avroType{name: name}
	b.built[name] = t
	switch n.Type {
	case "fixed":
		t.kind, t.size, t.scale = avroFixed, n.Size, n.Scale
		t.logical = logicalOf(n, avroFixed)
		return t, nil
	case "enum":
		t.kind = avroEnum
		for _, symbol := range n.Symbols {
			t.symbols = append(t.symbols, quoted(symbol))
		}
		return t, nil
	}
	t.kind = avroRecord
	namespace := name[:max(strings.LastIndexByte(name, '.'), 0)]
	for i := range n.Fields {
		field, err := b.build(&n.Fields[i].Type, namespace)
		if err != nil {
			return nil, err
		}
		t.fields = append(t.fields, avroField{keyed(n.Fields[i].Name), field})
	}
	return t, nil
}

func (b *avroBuilder) union(n *avro.SchemaNode, namespace string) (*avroType, error) {
	t := &avroType{kind: avroUnion}
	for i := range n.Branches {
		branch := &n.Branches[i]
		member, err := b.build(branch, namespace)
		if err != nil {
			return nil, err
		}
		tag := branch.Type
		if member.name != "" {
			tag = member.name
		}
		t.members = append(t.members, avroField{keyed(tag), member})
	}
	return t, nil
}

// quoted returns s as a JSON string. What isn't UTF-8 in it is replaced.
func quoted(s string) []byte {
	b, err := appendQuoted(nil, []byte(strings.ToValidUTF8(s, "\uFFFD")))
	if err != nil {
		panic(err) // it is valid
	}
	return b
}

// keyed returns name as the key of a member of a JSON object.
func keyed(name string) []byte { return append(quoted(name), ':') }
