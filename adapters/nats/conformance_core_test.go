package nats

import (
	"context"
	"io"
	"strconv"
	"strings"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	natsgo "github.com/nats-io/nats.go"

	"sidestream/adapters"
	"sidestream/adapters/adaptertest"
)

// TestCoreConformance runs the suite on core subjects: one, several, and in a
// queue group.
func TestCoreConformance(t *testing.T) {
	for name, form := range map[string]struct {
		subjects []string
		queue    string
	}{
		"one subject": {subjects: []string{"orders.{region}.>"}},
		"several":     {subjects: []string{"orders.{region}.a", "orders.{region}.b", "orders.{region}.c.>"}},
		"queue":       {subjects: []string{"orders.{region}.*"}, queue: "workers"},
	} {
		t.Run(name, func(t *testing.T) {
			adaptertest.Run(t, adaptertest.Harness{
				Tokens: []string{"region"},
				Hostile: []adapters.Vars{
					{"region": "."}, {"region": "a.b"}, {"region": "*"}, {"region": ">"}, {"region": "a b"},
					{"region": "a\tb"}, {"region": "a\u00a0b"}, {"region": "a\u2028b"}, {"region": "eu.>"},
				},
				Start: func(t testing.TB) *adaptertest.Upstream {
					t.Helper()
					return coreUpstream(t, form.subjects, form.queue)
				},
			})
		})
	}
}

// coreUpstream returns a server and the source of subjects in it. "a" and "b"
// are the last tokens of what is published.
func coreUpstream(t testing.TB, subjects []string, queue string) *adaptertest.Upstream {
	t.Helper()
	const password = "hunter2"
	srv := startServer(t, users(password, map[string]*server.Permissions{"reader": nil, "writer": nil}))
	way := throughProxy(t, srv)
	url := strings.Replace(way.URL(), "://", "://reader:"+password+"@", 1)
	f, err := tryConfigure(Adapter(), url, adapters.Route{Vars: []string{"region"}}, func(o *Options) {
		o.Subject, o.Queue = subjects, queue
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.(io.Closer).Close() })
	nc := srv.Connect(t, natsgo.UserInfo("writer", password))

	// The suite counts goroutines. Those of the connection, which stays, are
	// more here than in a program, as the server and the proxy have theirs.
	first, err := f.Open(adapters.Vars{"region": "eu"}, adapters.Env{})
	if err != nil {
		t.Fatal(err)
	}
	start(t, first, "", nil).stopLive()

	return &adaptertest.Upstream{
		Factory: f,
		Vars:    adapters.Vars{"region": "eu"},
		Private: []string{password, "127.0.0.1", way.Addr(), "reader"},
		Publish: func(ctx context.Context, i int) error {
			if err := nc.Publish("orders.eu."+[]string{"a", "b"}[i%2], []byte(strconv.Itoa(i))); err != nil {
				return err
			}
			return nc.FlushWithContext(ctx)
		},
		Number: func(e adapters.Event) (int, error) { return strconv.Atoi(string(e.Data)) },
		Fail: func(ctx context.Context) error {
			way.Reset()
			return unconnected(ctx, f.(*factory))
		},
		Recover: func(context.Context) error {
			way.Heal() //nolint:contextcheck // what the proxy takes is for a logger
			return nil
		},
		Stall: func(context.Context) error {
			way.Stall()
			return nil
		},
		Break: func(context.Context) error {
			srv.Reload(users(password, map[string]*server.Permissions{"reader": allow("elsewhere"), "writer": nil}))
			return nil
		},
	}
}

// unconnected waits until the factory's connection is lost, if it has one.
func unconnected(ctx context.Context, f *factory) error {
	l, err := f.link() //nolint:contextcheck // the connection outlasts what uses it
	if err != nil {
		return err
	}
	c, _, _ := l.state()
	if c == nil {
		return nil
	}
	select {
	case <-c.lost:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
