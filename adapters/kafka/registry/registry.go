package registry

import (
	"context"
	"errors"
)

// A Registry decodes payloads by the schemas of a schema registry. It is safe
// for concurrent use.
type Registry struct {
	client  *client
	options Options
	cache   *cache
}

// A decoder makes JSON of the payloads of one schema. It is safe for
// concurrent use.
type decoder interface {
	// decode returns the JSON text of a payload, at most limit bytes. An
	// error is final.
	decode(f frame, limit int) ([]byte, error)
}

// New returns the registry of options that [Options.Check] has nothing against
// and that have a URL. option is their path, for errors:
// "kafka.schema_registry". It does no I/O.
func New(option string, o Options) *Registry {
	r := &Registry{client: newClient(option, &o), options: o}
	r.cache = newCache(&o, r.load)
	return r
}

// Close closes idle connections. Later calls of Decode open new ones.
func (r *Registry) Close() { r.client.http.Close() }

// Decode returns the JSON text of data, which starts with the id of its
// schema: see the package comment. The text may share memory with data.
//
// An error is a [PayloadError], which holds for data for good; an
// [adapters.UpstreamError], if the registry failed; or that of ctx.
func (r *Registry) Decode(ctx context.Context, data []byte) ([]byte, error) {
	f, err := parseFrame(data)
	if err != nil {
		return nil, err
	}
	return r.decode(ctx, f)
}

// DecodeAs is like Decode for data whose schema is named by a record header,
// the last one called [Part.Header], so that nothing stands before data. A
// header without a value (nil) counts as none: it is Decode then.
func (r *Registry) DecodeAs(ctx context.Context, header, data []byte) ([]byte, error) {
	if header == nil {
		return r.Decode(ctx, data)
	}
	f, err := parseHeader(header, data)
	if err != nil {
		return nil, err
	}
	return r.decode(ctx, f)
}

func (r *Registry) decode(ctx context.Context, f frame) ([]byte, error) {
	d, err := r.cache.get(ctx, f.id)
	if err != nil {
		return nil, err
	}
	text, err := d.decode(f, int(r.options.MaxJSON))
	if err != nil {
		return nil, &PayloadError{Schema: f.id.String(), Err: err}
	}
	return text, nil
}

// load gets the decoder of a schema from the registry.
func (r *Registry) load(ctx context.Context, id schemaID) (decoder, error) {
	s, err := r.client.schema(ctx, id)
	if err == nil {
		var d decoder
		if d, err = compile(s, &r.options); err == nil {
			return d, nil
		}
	}
	var reason unusableError
	if errors.As(err, &reason) {
		return nil, &PayloadError{Schema: id.String(), Err: err}
	}
	return nil, err
}
