package proxy

import (
	"fmt"
	"strconv"

	"sidestream/adapters"
)

// stores has at most one key, which names a kind of store.
type stores struct {
	Rest rest `yaml:",rest"`
}

// History bounds what is remembered for clients that come back: by each stream,
// or, if it is durable, for the route as a whole.
type History struct {
	Events int               `yaml:"events"` // how many of them; of a durable history, of each source that pulls, or of all that is pushed to the route; default 1024
	Bytes  adapters.Size     `yaml:"bytes"`  // as written to clients; of a durable history, as stored; default 8MiB
	Age    adapters.Duration `yaml:"age"`    // how old they may be; default 0: any

	// Durable keeps the history in the store that the table's history names:
	// it outlasts the program, and replicas share it. A source that pulls is run
	// by one of them, for all; what is pushed may come to any.
	Durable bool `yaml:"durable"`

	// Replicas is on how many servers of the store a durable history is kept.
	// Default 0: on 3 if they are a cluster, otherwise on 1.
	Replicas int `yaml:"replicas"`

	// Cache bounds what each stream has in memory of a durable history, for
	// those who were away for a short while.
	Cache Cache `yaml:"cache"`

	Keys int `yaml:"keys"` // keys whose newest event is kept; default 10000

	// KeyBytes bounds what is kept for keys, in addition to Bytes. Default
	// 64MiB.
	KeyBytes adapters.Size `yaml:"key_bytes"`

	// Replay is how much of it a client gets that comes for the first time:
	// none (the default), all, or a number of events.
	Replay Replay `yaml:"replay"`

	Idle Idle `yaml:"idle"`
}

// Cache bounds what a stream has in memory of a durable history.
type Cache struct {
	Events int           `yaml:"events"` // how many of them; default 1024
	Bytes  adapters.Size `yaml:"bytes"`  // as written to clients; default 8MiB
}

// inMemory returns what bounds the events that a stream has in memory.
func (h *History) inMemory() Cache {
	if h.Durable {
		return h.Cache
	}
	return Cache{Events: h.Events, Bytes: h.Bytes}
}

// Idle bounds what a stream that matches clients by key remembers, in all, of
// keys that no client reads. The other bounds of the history are for each key.
type Idle struct {
	Events int               `yaml:"events"` // how many of them; default 100000
	Bytes  adapters.Size     `yaml:"bytes"`  // as written to clients; default 64MiB
	Age    adapters.Duration `yaml:"age"`    // of a key's newest event; default 0: any
}

// Replay is a number of events; -1 means all.
type Replay int

// UnmarshalText implements [encoding.TextUnmarshaler].
func (r *Replay) UnmarshalText(text []byte) error {
	switch s := string(text); s {
	case "none":
		*r = 0
	case "all":
		*r = -1
	default:
		n, err := strconv.Atoi(s)
		if err != nil || n < 0 {
			return fmt.Errorf(`%q is not "none", "all" or a number of events`, s)
		}
		*r = Replay(n)
	}
	return nil
}

// MarshalText implements [encoding.TextMarshaler].
func (r Replay) MarshalText() ([]byte, error) {
	switch {
	case r == 0:
		return []byte("none"), nil
	case r < 0:
		return []byte("all"), nil
	default:
		return strconv.AppendInt(nil, int64(r), 10), nil
	}
}

// Values implements [adapters.Choice].
func (Replay) Values() []string { return []string{"none", "all"} }

// Scalar implements [adapters.Shorthand]: a number of events.
func (Replay) Scalar() any { return uint(0) }
