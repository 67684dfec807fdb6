package nats

import (
	"context"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"sidestream/adapters"
	"sidestream/adapters/adaptertest"
)

// A form is one way of reading a stream that the suite is run in.
type form struct {
	name   string
	change func(*Options)
	stream jetstream.StreamConfig
	noise  bool // the stream has messages that the source doesn't read
}

func TestConformanceStream(t *testing.T) {
	orders := []string{"orders.>"}
	forms := []form{
		{name: "all of a stream"},
		{name: "from the start", change: func(o *Options) { o.Start = Start{word: startAll} }},
		{name: "in memory", stream: jetstream.StreamConfig{Storage: jetstream.MemoryStorage, Subjects: orders}},
		{
			name: "a filter", noise: true,
			change: func(o *Options) { o.Subject = []string{"orders.{region}.*"} },
			stream: jetstream.StreamConfig{Subjects: []string{"orders.>", "noise"}},
		},
		{
			name: "several filters", noise: true,
			change: func(o *Options) { o.Subject = []string{"orders.*.0", "orders.*.1", "orders.*.2"} },
			stream: jetstream.StreamConfig{Subjects: []string{"orders.>", "noise"}},
		},
		{
			name: "one message at a time", noise: true,
			change: func(o *Options) {
				o.Subject = []string{"orders.>"}
				o.Prefetch = Bound{Messages: 1, Bytes: 1}
			},
			stream: jetstream.StreamConfig{Subjects: []string{"orders.>", "noise"}},
		},
	}
	for _, f := range forms {
		t.Run(f.name, func(t *testing.T) {
			adaptertest.Run(t, adaptertest.Harness{
				Start:  f.start,
				Tokens: tokens(f),
			})
		})
	}
}

// tokens are the variables that the form's subjects have.
func tokens(f form) []string {
	o := defaults()
	if f.change != nil {
		f.change(&o)
	}
	if len(o.Subject) == 1 && o.Subject[0] == "orders.{region}.*" {
		return []string{"region"}
	}
	return nil
}

func (f form) start(t testing.TB) *adaptertest.Upstream {
	t.Helper()
	srv := startServer(t)
	js := srv.JetStream(t)
	config := f.stream
	config.Name = "ORDERS"
	if len(config.Subjects) == 0 {
		config.Subjects = []string{"orders.>"}
	}
	mustCreate(t, js, config)
	way := throughProxy(t, srv)
	route := adapters.Route{Vars: []string{"region"}}
	factory := configure(t, way.URL(), route, func(o *Options) {
		o.Stream = "ORDERS"
		if f.change != nil {
			f.change(o)
		}
	})
	connected(t, factory)
	key := func(i int) string { return "orders.eu." + strconv.Itoa(i%3) }
	u := &adaptertest.Upstream{
		Factory: factory,
		Vars:    adapters.Vars{"region": "eu"},
		Publish: func(ctx context.Context, i int) error {
			if f.noise {
				if _, err := js.Publish(ctx, "noise", nil); err != nil {
					return err
				}
			}
			_, err := js.Publish(ctx, key(i), []byte(strconv.Itoa(i)))
			return err
		},
		Number: func(e adapters.Event) (int, error) { return strconv.Atoi(string(e.Data)) },
		Key:    key,
		Stall: func(context.Context) error {
			way.Stall()
			return nil
		},
		Private: []string{"127.0.0.1", "ORDERS"},
		Expire: func(ctx context.Context, n int) error {
			stream, err := js.Stream(ctx, "ORDERS")
			if err != nil {
				return err
			}
			if f.noise {
				n *= 2
			}
			return stream.Purge(ctx, jetstream.WithPurgeSequence(uint64(n+1)))
		},
		Recreate: func(ctx context.Context) error {
			if err := js.DeleteStream(ctx, "ORDERS"); err != nil {
				return err
			}
			return created(ctx, func() error {
				_, err := js.CreateStream(ctx, config)
				return err
			})
		},
	}
	if config.Storage == jetstream.FileStorage {
		u.Fail = func(context.Context) error {
			srv.Kill()
			return nil
		}
		u.Recover = func(ctx context.Context) error {
			srv.Restart()
			return ready(ctx, js, "ORDERS")
		}
	}
	return u
}

// connected waits until the factory's connection is up: it stays, and is not
// to be taken for something that a Run has left behind.
func connected(t testing.TB, f *factory) {
	t.Helper()
	if _, err := (&way{factory: f}).conn(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// mustCreate creates a stream.
func mustCreate(t testing.TB, js jetstream.JetStream, config jetstream.StreamConfig) jetstream.Stream {
	t.Helper()
	var stream jetstream.Stream
	if err := created(t.Context(), func() (err error) {
		stream, err = js.CreateStream(t.Context(), config)
		return err
	}); err != nil {
		t.Fatalf("create stream %s: %v", config.Name, err)
	}
	return stream
}

// ready waits until the test's own client can use the stream again.
func ready(ctx context.Context, js jetstream.JetStream, stream string) error {
	for {
		// What is asked while the client connects again may not be answered.
		short, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
		_, err := js.Stream(short, stream)
		cancel()
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return fmt.Errorf("stream %s: %w", stream, err)
		}
	}
}
