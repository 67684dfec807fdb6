package proxy

import (
	"strings"
	"testing"

	"sidestream/adapters"
	"sidestream/adapters/adaptertest"
	"sidestream/proxy/strictyaml"
)

// TestCapabilities: what a route asks that its adapter can't do, told at the
// line that asks for it.
func TestCapabilities(t *testing.T) {
	for _, tt := range []struct {
		name  string
		can   adapters.Capabilities
		table string // under "routes:\n"
		want  []string
	}{
		{"partitions without an order", adapters.Capabilities{Partitioned: true, Replayable: true, Positions: true}, `
  - path: /a
    log: {}`, []string{"4:10: routes[0].log: log says that its sources are partitioned, but not which positions are before others; that is a mistake of the adapter's"}},
		{"a change can't be rewritten", adapters.Capabilities{Changes: true, Stateful: true, Positions: true}, `
  - path: /a
    event:
      each: .[]
      where: .a
      data: .b
      key: .c
      id: .d
      type: .e
    log: {}`, []string{
			"5:13: routes[0].event.each: log delivers changes to a document, which an expression can't rewrite; log.select shapes the document instead",
			"6:14: routes[0].event.where: log delivers changes to",
			"7:13: routes[0].event.data: log delivers changes to",
			"8:12: routes[0].event.key: log delivers changes to",
			"9:11: routes[0].event.id: log delivers changes to",
		}},
		{"a change may have a type", adapters.Capabilities{Changes: true}, `
  - path: /a
    event: {type: '"x"'}
    log: {}`, nil},
		{"always, with variables", adapters.Capabilities{Always: true}, `
  - path: /a/{b}
    query: [c]
    log: {name: x}`, []string{
			`5:10: routes[0].log.always: "always" needs a route with just one stream, but each set of variables (b, c) has its own; leave them out, or this`,
		}},
		{"always, for somebody", adapters.Capabilities{Always: true, Forward: []string{"Cookie"}}, `
  - path: /a
    log:
      always: true`, []string{
			`5:15: routes[0].log.always: "always" needs a route with just one stream, but clients with other credentials (Cookie) have others; leave out one of the two`,
		}},
		{"always", adapters.Capabilities{Always: true}, `
  - path: /a
    log: {}`, nil},
		{"no principals", adapters.Capabilities{}, `
  - path: /a
    max_principals: 0
    log: {}`, []string{
			`4:21: routes[0].max_principals: must be more than 0`,
		}},
		{"perhaps live", adapters.Capabilities{}, `
  - path: /a
    live_marker: maybe
    log: {}`, []string{
			`4:18: routes[0].live_marker: "maybe" is not one of ["auto" "true" "false"]`,
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			type options struct {
				Name   string `yaml:"name"`
				Always bool   `yaml:"always"`
			}
			registry := adapters.NewRegistry(adapters.New("log", func() options { return options{} },
				func(options, adapters.Route) (adapters.Factory, error) {
					return capable{Factory: (&adaptertest.Log{}).Factory(), can: tt.can}, nil
				}))
			_, err := Parse("f", []byte("listen: :1\nroutes:"+tt.table), registry, strictyaml.References{})
			var got []string
			if err != nil {
				got = strings.Split(strings.TrimSpace(err.Error()), "\n")
			}
			if len(got) != len(tt.want) {
				t.Fatalf("got %d complaints, want %d:\n%s", len(got), len(tt.want), strings.Join(got, "\n"))
			}
			for i, want := range tt.want {
				if !strings.HasPrefix(got[i], "f:"+want) {
					t.Errorf("got  %s\nwant f:%s", got[i], want)
				}
			}
		})
	}
}
