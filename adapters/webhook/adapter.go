package webhook

import (
	"cmp"
	"crypto/tls"
	"fmt"
	"net/http"
	"slices"
	"time"

	"sidestream/adapters"
	"sidestream/adapters/tlsfiles"
	"sidestream/adapters/webhook/verify"
)

// Adapter returns the adapter called "webhook".
func Adapter() adapters.Adapter { return adapters.New("webhook", defaults, configure) }

func configure(o Options, route adapters.Route) (adapters.Factory, error) {
	o.Ingest = cmp.Or(o.Ingest, route.Path)
	if err := o.check(route); err != nil {
		return nil, err
	}
	f := &factory{
		options:  o,
		vars:     slices.Sorted(slices.Values(route.Vars)),
		verifier: verify.New(&o.Verify),
		budget:   budget{limit: int64(o.Pending.Bytes)},
		seen:     newSeen(time.Duration(o.Dedupe.Window), o.Dedupe.Entries),
		signed:   signatureHeader(&o.Verify),
	}
	for _, m := range o.Methods {
		f.methods = append(f.methods, string(m))
	}
	if len(o.CloudEvents.AllowedOrigins) > 0 {
		f.methods = append(f.methods, http.MethodOptions)
	}
	if o.Listen.TLS.Enabled() {
		f.tls = tlsfiles.NewServer("listen.tls", o.Listen.TLS).Config
	}
	return f, nil
}

// A factory is the adapter configured for a route. It answers the requests that
// bring events; what its sources do is to deliver them.
type factory struct {
	options  Options
	vars     []string // of the route, for sources; sorted
	methods  []string // of requests that are answered
	verifier *verify.Verifier
	signed   string // a header that has a signature, in canonical form; empty if none is known
	tls      func() (*tls.Config, error)

	budget budget
	seen   *seen
}

// Capabilities implements [adapters.Factory]. Without variables there is one
// stream, which is to be there before the first event is.
func (f *factory) Capabilities() adapters.Capabilities {
	return adapters.Capabilities{Ingest: true, Always: len(f.vars) == 0}
}

// Open implements [adapters.Factory]. Variables are no part of a name, so that
// anything that is text will do; but all have to be there, since every event
// comes with all of them.
func (f *factory) Open(vars adapters.Vars, _ adapters.Env) (adapters.Source, error) {
	for _, name := range f.vars {
		if _, ok := vars[name]; !ok {
			return nil, fmt.Errorf("%w: %s is missing", adapters.ErrBadVariable, name)
		}
		if _, err := vars.Query(name); err != nil {
			return nil, err
		}
	}
	return newSource(f), nil
}

// Ingest implements [adapters.Ingester].
func (f *factory) Ingest() adapters.Ingest {
	return adapters.Ingest{
		Path:    f.options.Ingest,
		Methods: slices.Clone(f.methods),
		Address: f.options.Listen.Address,
		TLS:     f.tls,
	}
}
