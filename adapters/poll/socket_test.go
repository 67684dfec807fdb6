package poll

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"testing"

	"sidestream/adapters"
)

// atSocket starts an upstream at a socket.
func atSocket(tb testing.TB, h http.HandlerFunc) *url.URL {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "app.sock")
	ln, err := net.Listen("unix", path)
	if err != nil {
		tb.Fatal(err)
	}
	server := httptest.NewUnstartedServer(h)
	_ = server.Listener.Close()
	server.Listener = ln
	server.Start()
	tb.Cleanup(server.Close)
	return &url.URL{Scheme: "unix", OmitHost: true, Path: path}
}

// What goes under an upstream at a socket is asked there, what is written in
// full isn't, and a socket of the source's own wins.
func TestUpstreamAtSocket(t *testing.T) {
	answers := func(name string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, name+" "+r.Host+r.RequestURI)
		}
	}
	socket, other := atSocket(t, answers("socket")), atSocket(t, answers("other"))
	network := serve(t, answers("network"))
	for _, tt := range []struct{ url, socket, want string }{
		{"", "", "socket localhost/doc"},
		{"/a?b=c", "", "socket localhost/a?b=c"},
		{network.String() + "/a", "", "network " + network.Host + "/a"},
		{"/a", other.Path, "other localhost/a"},
	} {
		f := configure(t, adapters.Route{Path: "/doc", Upstream: socket}, func(o *Options) {
			o.URL, o.Client.UnixSocket = tt.url, tt.socket
			o.Answer.Format, o.Emit = "text", emitRaw
		})
		s, err := f.Open(nil, adapters.Env{})
		if err != nil {
			t.Fatal(err)
		}
		if got := string(take(t, s, "", 1)[0].Data); got != tt.want {
			t.Errorf("url %q, unix_socket %q: got %s, want %s", tt.url, tt.socket, got, tt.want)
		}
	}
}
