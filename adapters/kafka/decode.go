package kafka

import (
	"context"
	"fmt"

	"sidestream/adapters/kafka/record"
	"sidestream/adapters/kafka/registry"
)

// decode returns the key and the value of a record, as JSON where the schema
// registry is to decode them. What is null stays so.
func (f *factory) decode(ctx context.Context, rec *record.Record) (key, value []byte, err error) {
	if key, err = f.decodePart(ctx, registry.Key, rec.Key, rec.Headers); err != nil {
		return nil, nil, err
	}
	value, err = f.decodePart(ctx, registry.Value, rec.Value, rec.Headers)
	return key, value, err
}

func (f *factory) decodePart(ctx context.Context, part registry.Part, data []byte, headers []record.Header) ([]byte, error) {
	if data == nil || !f.options.SchemaRegistry.Decodes(part) {
		return data, nil
	}
	var schema []byte
	for i := range headers {
		if headers[i].Key == part.Header() {
			schema = headers[i].Value
		}
	}
	text, err := f.registry.DecodeAs(ctx, schema, data)
	if err != nil {
		return nil, fmt.Errorf("decode %s: %w", part, err)
	}
	return text, nil
}
