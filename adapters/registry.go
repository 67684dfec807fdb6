package adapters

import (
	"net/url"
	"slices"
)

// An Adapter is a kind of source. Make one with [New].
type Adapter struct {
	// Name is the key that selects the adapter in a route.
	Name string

	// options returns a pointer to a fresh value of the adapter's options,
	// defaults set, for the configuration's decoder and for its checks.
	options func() any

	build func(options any, route Route) (Factory, error)
}

// New returns the adapter called name, whose options are of type O.
//
// defaults returns the options that hold when nothing is configured. build
// validates decoded options for one route and returns the route's factory;
// an error that concerns one option should be made with [OptionError] so
// that its line can be named.
//
// O is decoded strictly from YAML: exported fields with a `yaml` tag, nested
// structs, pointers, slices, maps with string keys, basic types, and types
// that implement [encoding.TextUnmarshaler], such as [Duration] and [Size].
// Its doc comments, and types that are a [Choice], a [Shorthand] or a
// [Fraction], are what editors are told of it.
func New[O any](name string, defaults func() O, build func(options O, route Route) (Factory, error)) Adapter {
	return Adapter{
		Name: name,
		options: func() any {
			o := defaults()
			return &o
		},
		build: func(options any, route Route) (Factory, error) {
			return build(*options.(*O), route)
		},
	}
}

// Configure builds the factory of one route. decode is called once, with a
// pointer to the adapter's options with their defaults set, and fills in
// what is configured.
func (a Adapter) Configure(route Route, decode func(options any) error) (Factory, error) {
	options := a.options()
	if err := decode(options); err != nil {
		return nil, err
	}
	return a.build(options, route)
}

// Options returns a pointer to the adapter's options with their defaults
// set. Its type describes what may be configured.
func (a Adapter) Options() any { return a.options() }

// A Route is what an adapter may know of the route that it is configured
// for.
type Route struct {
	// Path is the route's path pattern, in which "{name}" stands for one
	// segment and a last "{name...}" for all that remain.
	Path string

	// Vars are the names of the variables that sources may use, and Query
	// those of them that are query parameters.
	Vars  []string
	Query []string

	// Latest says that clients are to start with the newest event of each
	// key, so that sources should begin with those if nothing else is
	// configured.
	Latest bool

	// Upstream is the application behind the route, or nil: an http or https
	// URL or, with the scheme unix, the path of the Unix-domain socket at which
	// it is asked, without TLS.
	Upstream *url.URL
}

// A Registry holds the adapters that a program knows, by name. The zero
// value is empty and ready for use.
type Registry struct {
	byName map[string]Adapter
	stores []StoreKind
}

// NewRegistry returns a registry of the given adapters. It panics if two of
// them share a name, since that is a mistake in the program.
func NewRegistry(list ...Adapter) *Registry {
	r := &Registry{byName: make(map[string]Adapter, len(list))}
	for _, a := range list {
		if _, dup := r.byName[a.Name]; dup {
			panic("adapters: two adapters are called " + a.Name)
		}
		r.byName[a.Name] = a
	}
	return r
}

// Lookup returns the adapter called name.
func (r *Registry) Lookup(name string) (Adapter, bool) {
	a, ok := r.byName[name]
	return a, ok
}

// Names returns the names of all adapters, sorted.
func (r *Registry) Names() []string {
	names := make([]string, 0, len(r.byName))
	for name := range r.byName {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
