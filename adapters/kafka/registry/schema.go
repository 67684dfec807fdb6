package registry

import (
	"context"

	"sidestream/adapters"
)

// The formats of schemas.
const (
	typeAvro     = "AVRO"
	typeProtobuf = "PROTOBUF"
	typeJSON     = "JSON"
)

// A schema is one with all that it refers to.
type schema struct {
	format     string
	text       string
	references []referenced // each behind those that it refers to itself
}

// A referenced schema is known by a name to those that refer to it.
type referenced struct{ name, text string }

// schema gets a schema with its references from the registry. An unusableError
// says why it can't be used.
func (c *client) schema(ctx context.Context, id schemaID) (schema, error) {
	d, err := c.byID(ctx, id)
	if err != nil {
		return schema{}, err
	}
	s := schema{format: d.Type, text: d.Text}
	if s.format == "" {
		s.format = typeAvro
	}
	if s.format == typeJSON {
		return s, nil // it isn't looked into
	}
	w := walk{client: c, state: map[string]bool{}}
	if err := w.add(d); err != nil {
		return s, err
	}
	err = w.follow(ctx, d.References)
	s.references = w.found
	return s, err
}

// A walk follows references, depth first.
type walk struct {
	client *client
	size   int             // of all texts
	state  map[string]bool // by name; false while its own references are followed
	found  []referenced
}

// follow gets the schemas that are referred to. What has a name already is not
// asked for again, whatever its version, as other readers of schemas have it.
func (w *walk) follow(ctx context.Context, refs []reference) error {
	for _, ref := range refs {
		done, seen := w.state[ref.Name]
		if seen && !done {
			return unusable("it refers to %q in a circle", ref.Name)
		}
		if seen {
			continue
		}
		if len(w.state) == w.client.references {
			return unusable("it refers to more than %d others, which references allows", w.client.references)
		}
		w.state[ref.Name] = false
		d, err := w.client.byReference(ctx, ref)
		if err != nil {
			return err
		}
		if err := w.add(d); err != nil {
			return err
		}
		if err := w.follow(ctx, d.References); err != nil {
			return err
		}
		w.state[ref.Name] = true
		w.found = append(w.found, referenced{ref.Name, d.Text})
	}
	return nil
}

// add counts a text.
func (w *walk) add(d document) error {
	if w.size += len(d.Text); w.size > w.client.maxSchema {
		return unusable("with its references it is larger than %s, which max_schema allows", adapters.Size(w.client.maxSchema))
	}
	return nil
}

// compile makes a decoder of a schema. An error is an unusableError.
func compile(s schema, o *Options) (decoder, error) {
	switch s.format {
	case typeAvro:
		return compileAvro(s, o.Avro)
	case typeProtobuf:
		return compileProtobuf(s, o.Protobuf)
	case typeJSON:
		return jsonDecoder{}, nil
	default:
		return nil, unusable("its format %q is none of %s, %s and %s", s.format, typeAvro, typeProtobuf, typeJSON)
	}
}
