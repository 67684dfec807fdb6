package adapters

import (
	"slices"
	"time"
)

// A Store makes histories durable: what sources deliver that can't deliver it
// again is kept there, and shared with other replicas of the program.
type Store interface {
	// Keep returns the factory of sources that deliver what those of f do, from
	// a log of the store that outlasts the program and that replicas share.
	// Its sources are Replayable. f is to be used by the returned factory only,
	// which closes it. Keep is called once for each route of a table that is to be
	// durable, by one goroutine; it does no I/O. An error says why f's sources can't be
	// kept; one that concerns one option of the history is an [OptionError].
	Keep(f Factory, k Keep) (Factory, error)
}

// Keep says what is to be kept of a route's sources, and how they are run.
type Keep struct {
	// Route names the route, the same in all replicas and after any change of
	// the route's other options.
	Route string

	// Vars are the names of the variables that sources may use.
	Vars []string

	// Events, Bytes and Age bound what is kept of the route, of all its sources
	// together; but Events is for each of those that pull. 0 is no bound.
	Events int64
	Bytes  int64
	Age    time.Duration

	// Begin is with how many of the newest events a Run begins that has no
	// position, about; -1: with all that are kept. Sources with state begin
	// with that.
	Begin int64

	// Replicas is on how many servers it is kept; 0: what the store makes of
	// that.
	Replicas int

	// A source of f that has failed is run again after a random time of up to
	// MinBackoff, which doubles with each failure up to MaxBackoff.
	MinBackoff, MaxBackoff time.Duration
}

// A StoreKind is a kind of [Store]. Make one with [NewStoreKind].
type StoreKind struct {
	// Name is the key that selects the store in a routing table's history.
	Name string

	options func() any
	build   func(options any) (Store, error)
}

// NewStoreKind returns the kind of store called name, whose options are of
// type O; see [New] for what they are. build validates decoded options and
// returns the store, which has acquired nothing yet.
func NewStoreKind[O any](name string, defaults func() O, build func(options O) (Store, error)) StoreKind {
	return StoreKind{
		Name: name,
		options: func() any {
			o := defaults()
			return &o
		},
		build: func(options any) (Store, error) { return build(*options.(*O)) },
	}
}

// Options returns a pointer to the store's options with their defaults set.
func (k StoreKind) Options() any { return k.options() }

// Configure builds a store. decode is called once, with a pointer to the
// store's options with their defaults set, and fills in what is configured.
func (k StoreKind) Configure(decode func(options any) error) (Store, error) {
	options := k.options()
	if err := decode(options); err != nil {
		return nil, err
	}
	return k.build(options)
}

// WithStores returns a registry of r's adapters and of kinds of stores, of
// which the first is the one that is used where none is configured.
func (r *Registry) WithStores(kinds ...StoreKind) *Registry {
	return &Registry{byName: r.byName, stores: slices.Clone(kinds)}
}

// Stores returns the kinds of stores that are known.
func (r *Registry) Stores() []StoreKind { return slices.Clone(r.stores) }
