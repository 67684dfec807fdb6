package nats

import (
	"io"
	"net"
	"net/url"
	"strconv"
	"testing"
	"time"

	"go.uber.org/goleak"

	"sidestream/adapters"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func mustPort(tb testing.TB, u *url.URL) int {
	tb.Helper()
	port, err := strconv.Atoi(u.Port())
	if err != nil {
		tb.Fatal(err)
	}
	return port
}

func hostPort(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

// await waits until ok is true.
func await(tb testing.TB, what string, ok func() bool) {
	tb.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	timeout := time.After(soon)
	for !ok() {
		select {
		case <-tick.C:
		case <-timeout:
			tb.Fatalf("waited %v for %s", soon, what)
		}
	}
}

// configure returns the factory of a route on the server at url, with default
// options, except for what edit changes. It is closed by t.Cleanup.
func configure(tb testing.TB, url string, route adapters.Route, edit func(*Options)) *factory {
	tb.Helper()
	return configureOn(tb, Adapter(), url, route, edit)
}

// configureOn is configure for routes that share an adapter.
func configureOn(tb testing.TB, a adapters.Adapter, url string, route adapters.Route, edit func(*Options)) *factory {
	tb.Helper()
	f, err := tryConfigure(a, url, route, edit)
	if err != nil {
		tb.Fatalf("configure: got %v, want no error", err)
	}
	tb.Cleanup(func() { f.(io.Closer).Close() })
	return f.(*factory)
}

func tryConfigure(a adapters.Adapter, url string, route adapters.Route, edit func(*Options)) (adapters.Factory, error) {
	return a.Configure(route, func(options any) error {
		o := options.(*Options)
		if url != "" {
			o.Connection.URLs = urls(url)
		}
		if edit != nil {
			edit(o)
		}
		return nil
	})
}

// open returns the source of the factory for vars.
func open(tb testing.TB, f *factory, vars adapters.Vars) adapters.Source {
	tb.Helper()
	s, err := f.Open(vars, adapters.Env{Meta: true})
	if err != nil {
		tb.Fatalf("Open: got %v, want no error", err)
	}
	return s
}

// urls returns URLs that have to be valid.
func urls(texts ...string) []URL {
	list := make([]URL, len(texts))
	for i, text := range texts {
		if err := list[i].UnmarshalText([]byte(text)); err != nil {
			panic(err)
		}
	}
	return list
}
