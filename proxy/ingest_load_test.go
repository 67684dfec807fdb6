package proxy

import (
	"crypto/tls"
	"slices"
	"strings"
	"testing"

	"sidestream/adapters"
	"sidestream/adapters/adaptertest"
	"sidestream/proxy/strictyaml"
)

// TestIngestConfigurations: what can't be served is told with its line, and
// what can is taken.
func TestIngestConfigurations(t *testing.T) {
	noTLS := func() (*tls.Config, error) { return nil, nil } //nolint:nilnil // nobody asks
	for _, tt := range []struct {
		name  string
		can   adapters.Capabilities
		table string // behind "listen: :1\nroutes:\n"
		want  []string
	}{
		{"on its own path", adapters.Capabilities{}, `
  - {path: /a, post: {in: /a}}
  - {path: "/b/{x}", query: [y], match: "{x}", key: .k, post: {in: "/b/{y}"}}
  - {path: /c, post: {in: /b/c/}}`, nil},
		{"several methods and listeners", adapters.Capabilities{}, `
  - {path: /a, post: {in: /in, methods: [GET, POST]}}
  - {path: /b, post: {in: /in, listen: ":2"}}
  - {path: /c, host: c.example, post: {in: /in, listen: ":2"}}
  - {path: /d, post: {in: /in, listen: ":3", tls: x}}
  - {path: /e, post: {in: /in/e, listen: ":3", tls: x}}`, nil},
		{"its own stream's requests", adapters.Capabilities{}, `
  - {path: /a, method: POST, post: {in: /a}}`, []string{
			"3:36: routes[0].post: takes, for events, the same requests as this route itself; set ingest to another path",
		}},
		{"another stream's requests", adapters.Capabilities{}, `
  - {path: "/{d}", method: POST, post: {in: "/in/{d}"}}
  - path: /b
    post:
      in: /y
  - path: "/c/{d}"
    post: {in: "/{d}"}`, []string{
			"8:11: routes[2].post: takes, for events, the same requests as POST /{d}; the other route is in line 3; set ingest to another path",
		}},
		{"another's events", adapters.Capabilities{}, `
  - {path: /a, post: {in: /in}}
  - {path: /b, post: {in: /in}}
  - {path: /in, method: POST, post: {in: /c}}
  - {path: "/d/{x}", post: {in: "/e/{x}/f"}}
  - {path: "/g/{x}", post: {in: "/e/f/{x}"}}`, []string{
			"4:22: routes[1].post: takes, for events, the same requests as /a; the other route is in line 3; set ingest to another path",
			"5:12: routes[2].path: takes the same requests as /a; the other route is in line 3",
			"7:28: routes[4].post: takes, for events, some of the same requests as /d/{x}, and neither is more specific; the other route is in line 6; set ingest to another path",
		}},
		{"the table's own addresses", adapters.Capabilities{}, `
  - {path: /a, post: {in: /in, listen: ":1"}}
  - {path: /b, post: {in: /in, listen: "127.0.0.1:9090"}}`, []string{
			`3:40: routes[0].post.listen.address: the address for requests that bring events, :1, is one of the table's own ("listen", "admin"); leave out listen.address (events come in at "listen" anyway), or choose another port`,
			`4:40: routes[1].post.listen.address: the address for requests that bring events, 127.0.0.1:9090, is one`,
		}},
		{"TLS, or none", adapters.Capabilities{}, `
  - {path: /a, post: {in: /a, listen: ":2"}}
  - {path: /b, post: {in: /b, listen: ":2", tls: x}}`, []string{
			"4:39: routes[1].post.listen.address: of the routes whose events come in at :2 either all have TLS or none; the other route is in line 3",
		}},
		{"for somebody", adapters.Capabilities{Forward: []string{"Cookie"}}, `
  - {path: /a, post: {in: /in}}`, []string{
			"3:22: routes[0].post: requests bring events for all clients, but clients with other credentials (Cookie) have streams of their own; leave out one of the two",
		}},
		{"other variables", adapters.Capabilities{}, `
  - {path: "/a/{x}/{y}", match: "{y}", key: .k, post: {in: "/in/{y}"}}
  - {path: /b, post: {in: "/in/{z...}"}}`, []string{
			"3:55: routes[0].post: the path of requests that bring events, /in/{y}, has the variables y, but the route's sources have x; they must be the same",
			"4:22: routes[1].post: the path of requests that bring events, /in/{z...}, has the variables z, but the route's sources have none; they must be the same",
		}},
		{"no path", adapters.Capabilities{}, `
  - {path: /a, post: {in: in}}
  - {path: /b, post: {}}`, []string{
			`3:22: routes[0].post: the path of requests that bring events: "in" must start with "/"`,
			`4:22: routes[1].post: the path of requests that bring events: "" must start with "/"`,
		}},
		{"mistakes of the adapter", adapters.Capabilities{}, `
  - {path: /a, post: {in: /a, methods: []}}
  - {path: /b, post: {in: /b, methods: [POST, "A B"]}}
  - {path: /c, post: {in: /c, tls: x}}`, []string{
			"3:22: routes[0].post: post says that requests bring it events, but not which, or that they come by TLS, but not where; that is a mistake of the adapter's",
			`4:22: routes[1].post: "A B" is not a method of requests that bring events; write POST, say`,
			"5:22: routes[2].post: post says",
		}},
		{"limits", adapters.Capabilities{}, `
  - {path: /a, post: {in: /a}}
limits:
  ingest: 0
  ingest_timeout: 0s`, []string{
			"5:11: limits.ingest: must be more than 0",
			"6:19: limits.ingest_timeout: must be more than 0",
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := &post{can: tt.can, tls: map[string]func() (*tls.Config, error){"x": noTLS}}
			_, err := Parse("f", []byte("listen: :1\nroutes:"+tt.table), adapters.NewRegistry(p.adapter()), strictyaml.References{})
			var got []string
			if err != nil {
				got = strings.Split(strings.TrimSpace(err.Error()), "\n")
			}
			if !slices.EqualFunc(got, tt.want, func(g, w string) bool { return strings.HasPrefix(g, "f:"+w) }) {
				t.Errorf("got\n%s\nwant\nf:%s", strings.Join(got, "\n"), strings.Join(tt.want, "\nf:"))
			}
		})
	}
}

// An adapter that says it takes requests has to do so.
func TestIngestThatIsNone(t *testing.T) {
	registry := adapters.NewRegistry(adapters.New("log", func() struct{} { return struct{}{} },
		func(struct{}, adapters.Route) (adapters.Factory, error) {
			return capable{Factory: (&adaptertest.Log{}).Factory(), can: adapters.Capabilities{Ingest: true}}, nil
		}))
	_, err := Parse("f", []byte(`routes: [{path: /a, log: {}}]`), registry, strictyaml.References{})
	if want := "f:1:26: routes[0].log: log says that requests bring it events, but not which"; err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("got error %v, want %q", err, want)
	}
}
