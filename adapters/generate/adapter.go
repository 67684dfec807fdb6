package generate

import (
	"math/rand/v2"
	"text/template"
	"time"

	"sidestream/adapters"
)

// Adapter returns the adapter called "generate".
func Adapter() adapters.Adapter {
	return adapters.New("generate", defaults, configure)
}

func configure(o Options, route adapters.Route) (adapters.Factory, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	f := &factory{
		every:    time.Duration(o.Every),
		jitter:   float64(o.Jitter),
		atOnce:   o.First == atOnce,
		cycle:    o.Choose == chooseCycle,
		count:    o.Count,
		seed:     o.Seed,
		maxBytes: int(o.MaxBytes),
		varNames: route.Vars,
	}
	events, paths := o.events()
	for i, e := range events {
		t, err := parse(e.Data, route.Vars, f.maxBytes)
		if err != nil {
			return nil, adapters.BadOption(paths[i], "the template doesn't work: %w", err)
		}
		weight := 1
		if e.Weight != nil {
			weight = *e.Weight
		}
		f.kinds = append(f.kinds, kind{e.Type, weight, t})
		f.weights += weight
	}
	return f, nil
}

// A factory is the adapter configured for a route.
type factory struct {
	every    time.Duration
	jitter   float64
	atOnce   bool
	cycle    bool
	count    int
	seed     uint64
	maxBytes int
	varNames []string

	kinds   []kind // at least one
	weights int    // of all kinds
}

// A kind is a kind of event.
type kind struct {
	typ    string
	weight int
	data   *template.Template
}

// Capabilities implements [adapters.Factory]: there are none.
func (*factory) Capabilities() adapters.Capabilities { return adapters.Capabilities{} }

// Open implements [adapters.Factory]. Variables are no part of a name, so
// that anything that is text will do.
func (f *factory) Open(vars adapters.Vars, _ adapters.Env) (adapters.Source, error) {
	known := make(map[string]string, len(f.varNames))
	for _, name := range f.varNames {
		if _, err := vars.Query(name); err != nil {
			return nil, err
		}
		known[name] = vars[name]
	}
	seed := f.seed
	if seed == 0 {
		seed = rand.Uint64()
	}
	s := &source{factory: f, vars: known, random: rand.New(rand.NewPCG(seed, 0))}
	for _, k := range f.kinds {
		t, err := k.data.Clone() // to bind its functions to this source
		if err != nil {
			return nil, err
		}
		s.data = append(s.data, t.Funcs(functions(s.random)))
	}
	return s, nil
}
