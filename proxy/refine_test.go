package proxy

import (
	"testing"

	"sidestream/proxy/mapping"
)

// TestForm: routes have the same form if they make the same of events.
func TestForm(t *testing.T) {
	seen := map[string]string{}
	for _, tt := range []struct{ name, where, data, typ, encoding string }{
		{name: "nothing", encoding: "utf8"},
		{name: "base64", encoding: "base64"},
		{name: "data", data: ".a", encoding: "utf8"},
		{name: "other data", data: ".b", encoding: "utf8"},
		{name: "where", where: ".a", encoding: "utf8"},
		{name: "type", typ: ".a", encoding: "utf8"},
		{name: "data in base64", data: ".a", encoding: "base64"},
	} {
		form := func() string {
			spec := mapping.DefaultSpec()
			spec.Where, spec.Data, spec.Type = tt.where, tt.data, tt.typ
			m, err := mapping.Compile(spec, "")
			if err != nil {
				t.Fatal(err)
			}
			r := &Route{Options: Options{Event: spec, Encoding: Encoding(tt.encoding)}, mapping: m}
			return r.form()
		}
		got := form()
		if other, twice := seen[got]; twice || got != form() {
			t.Errorf("%s: got the form %q of %s, want one of its own, and always the same", tt.name, got, other)
		}
		seen[got] = tt.name
	}
	if _, ok := seen[""]; !ok {
		t.Error("got a form of a route that changes nothing, want none")
	}
}
