package demo_test

import (
	"testing"

	"sidestream/adapters"
	"sidestream/adapters/generate"
	"sidestream/adapters/poll"
	"sidestream/cmd/sidestream/demo"
	"sidestream/proxy"
	"sidestream/proxy/strictyaml"
)

func TestRoutesParse(t *testing.T) {
	known := adapters.NewRegistry(generate.Adapter(), poll.Adapter())
	config, err := proxy.Parse("demo.yaml", demo.Routes("http://127.0.0.1:4711"), known, strictyaml.References{})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := config.Upstream.String(), "http://127.0.0.1:4711"; got != want {
		t.Errorf("upstream: got %s, want %s", got, want)
	}
	want := map[string]string{"/api/orders": "poll", "/events/demo": "generate", "/events/clock": "generate"}
	for _, r := range config.Routes {
		if r.Adapter != want[r.Path] {
			t.Errorf("%s: got adapter %q, want %q", r.Path, r.Adapter, want[r.Path])
		}
		delete(want, r.Path)
	}
	if len(want) > 0 {
		t.Errorf("got no routes for %v, want some", want)
	}
}

// TestUpstreamIsData gives an upstream that would be something else to YAML
// if it were put in as it is.
func TestUpstreamIsData(t *testing.T) {
	for _, upstream := range []string{
		"http://127.0.0.1:1/${HOME}",
		"http://127.0.0.1:1/a # b",
		"http://127.0.0.1:1/\"\nlisten: :1",
		"http://127.0.0.1:1/<&>",
	} {
		doc, err := strictyaml.Parse("demo.yaml", demo.Routes(upstream), strictyaml.References{})
		if err != nil {
			t.Errorf("%q: %v", upstream, err)
			continue
		}
		var got string
		doc.Decode(strictyaml.Find(doc.Root, "upstream"), "upstream", &got)
		if err := doc.Err(); err != nil || got != upstream {
			t.Errorf("got upstream %q (%v), want %q", got, err, upstream)
		}
	}
}
