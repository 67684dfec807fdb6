package main

import (
	"fmt"
	"os"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"sidestream/adapters"
	"sidestream/proxy"
	"sidestream/proxy/strictyaml"
)

const reference = "../../routes.yaml"

// options are those of a route, to tell which keys there are and which are
// left at their defaults.
func options(t *testing.T, c *proxy.Config, path string) proxy.Options {
	t.Helper()
	i := slices.IndexFunc(c.Routes, func(r *proxy.Route) bool { return r.Path == path })
	if i < 0 {
		t.Fatalf("got no route %s, want one", path)
	}
	return c.Routes[i].Options
}

// TestReferenceShowsDefaults loads the reference table, strictly, and
// compares it with a table that says nothing.
func TestReferenceShowsDefaults(t *testing.T) {
	got, err := validate(reference)
	if err != nil {
		t.Fatal(err)
	}
	want, err := proxy.Parse("bare.yaml", []byte("routes: [{path: /, generate: {}}]"), known(zerolog.Nop()), strictyaml.References{})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		what      string
		got, want any
	}{
		{"listen", got.Listen, want.Listen},
		{"admin", got.Admin, want.Admin},
		{"limits", got.Limits, want.Limits},
		{"drain", got.Drain, want.Drain},
	} {
		if !reflect.DeepEqual(c.got, c.want) {
			t.Errorf("%s: got %+v, want the default, %+v", c.what, c.got, c.want)
		}
	}
	// An empty mapping and none, or a time of an expression that is written
	// and one that is not, mean the same.
	gotOptions, wantOptions := options(t, got, "/events/clock"), options(t, want, "/")
	wantOptions.Event.Decode, wantOptions.Event.MaxEvents = "json", 10_000
	wantOptions.Event.Timeout, wantOptions.Event.MaxOutput = adapters.Duration(time.Second), 16<<20
	wantOptions.Headers = map[string]string{}
	wantOptions.CORS.Origins, wantOptions.CORS.Headers, wantOptions.CORS.Expose = []string{}, []string{}, []string{}
	if !reflect.DeepEqual(gotOptions, wantOptions) {
		t.Errorf("defaults: got %+v, want what holds without them, %+v", gotOptions, wantOptions)
	}
}

// TestReferenceShowsDefaultsOfSources does so for the options of sources, and
// of the stores of histories.
func TestReferenceShowsDefaultsOfSources(t *testing.T) {
	data, err := os.ReadFile(reference)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := strictyaml.Parse(reference, data, strictyaml.References{})
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]any{}
	for _, name := range known(zerolog.Nop()).Names() {
		a, _ := known(zerolog.Nop()).Lookup(name)
		all["defaults."+name] = a.Options()
	}
	for _, kind := range known(zerolog.Nop()).Stores() {
		all["history."+kind.Name] = kind.Options()
	}
	for path, want := range all {
		got := reflect.New(reflect.TypeOf(want).Elem()).Interface()
		doc.Decode(strictyaml.Find(doc.Root, path), path, got)
		if err := doc.Err(); err != nil {
			t.Errorf("%s: %v", path, err)
		}
		if fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", want) {
			t.Errorf("%s: got %+v, want the defaults, %+v", path, got, want)
		}
	}
}
