package history

import (
	"reflect"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"sidestream/adapters"
	"sidestream/adapters/history/embedded"
	"sidestream/adapters/shared"
)

// NATS returns the kind of store called "nats". log is for what concerns the
// store as a whole.
//
// Stores with equal options share a server and a connection, which are there
// from the first use of a source until the last factory is closed. A program
// has one kind, therefore.
func NATS(log zerolog.Logger) adapters.StoreKind {
	homes, servers := new(shared.Pool[*home]), new(shared.Pool[*embedded.Server])
	return adapters.NewStoreKind("nats", defaults, func(o Options) (adapters.Store, error) {
		if err := o.check(); err != nil {
			return nil, err
		}
		return &store{options: &o, homes: homes, servers: servers, log: log}, nil
	})
}

// A store implements [adapters.Store].
type store struct {
	options *Options
	homes   *shared.Pool[*home]
	servers *shared.Pool[*embedded.Server]
	log     zerolog.Logger

	reserved int64 // bytes of all that is to be kept, which the server sets aside
}

// join returns the home that the store shares with its like.
func (s *store) join() (h *home, leave func()) {
	return s.homes.Join(
		func(h *home) bool { return reflect.DeepEqual(h.options, s.options) },
		func() *home { return newHome(s.options, s.servers, s.log) },
	)
}

// Keep implements [adapters.Store].
func (s *store) Keep(f adapters.Factory, k adapters.Keep) (adapters.Factory, error) {
	can := f.Capabilities()
	var c adapters.OptionErrors
	c.Refuse(len(can.Forward) > 0, "durable", "what clients get with their own credentials (%s) is not kept; leave out one of the two", strings.Join(can.Forward, ", "))
	c.Refuse(can.Replayable, "durable", "the source can deliver again what it has delivered, at any replica; leave this out")
	c.Refuse(can.Stateful && can.Keyed && !can.Replayable, "durable", "the states of keys are not kept; leave this out")
	c.Refuse(!s.options.external() && !embedded.Built, "durable", "this program was built without the embedded server; history.nats.urls has to say where servers are")
	c.Refuse(k.Replicas > 1 && !s.options.external(), "replicas", "the embedded server is one only; history.nats.urls names others")
	c.Refuse(k.Replicas > maxReplicas, "replicas", "%d are too many; a stream has at most %d", k.Replicas, maxReplicas)
	if most, sum := int64(s.options.Embedded.MaxBytes), s.reserved+k.Bytes; !s.options.external() {
		c.Refuse(sum > most, "bytes", "%s is too much: with the other durable routes it makes %s, and the embedded server has %s (history.nats.embedded.max_bytes)",
			adapters.Size(k.Bytes), adapters.Size(sum), adapters.Size(most))
	}
	if err := c.Err(); err != nil {
		return nil, err
	}
	s.reserved += k.Bytes
	kept := &factory{
		inner: f, can: can, keep: k, store: s, stream: streamName(s.options.Prefix, k.Route),
		sampler: &zerolog.BurstSampler{Burst: 5, Period: 10 * time.Second},
		health:  newHealth(),
	}
	if ingester, ok := f.(adapters.Ingester); ok && can.Ingest {
		return &ingestFactory{kept, ingester}, nil
	}
	return kept, nil
}

// maxReplicas is the most that JetStream has of a stream.
const maxReplicas = 5
