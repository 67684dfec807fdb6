package secret_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"sidestream/adapters/secret"
	"sidestream/proxy/strictyaml"
)

// decode decodes text into what the key "value" has.
func decode(tb testing.TB, text string) (secret.Value, error) {
	tb.Helper()
	d, err := strictyaml.Parse("routes.yaml", []byte(text), strictyaml.References{})
	if err != nil {
		tb.Fatal(err)
	}
	var into struct {
		Value secret.Value `yaml:"value"`
	}
	d.Decode(d.Root, "", &into)
	return into.Value, d.Err()
}

func TestValue(t *testing.T) {
	for _, tc := range []struct {
		yaml        string
		file        string
		text        string
		shown       string
		zero, empty bool
	}{
		{yaml: "{}", zero: true, empty: true},
		{yaml: "value:", zero: true, empty: true},
		{yaml: "value: {}", zero: true, empty: true},
		{yaml: `value: ""`, empty: true},
		{yaml: "value: hunter2", text: hidden, shown: "(secret)"},
		{yaml: "value: 017", text: "017", shown: "(secret)"}, // as it is written, no number
		{yaml: "value: {file: /run/key}", file: "/run/key", shown: "(secret in /run/key)"},
	} {
		v, err := decode(t, tc.yaml)
		if err != nil {
			t.Errorf("%s: got %v, want no error", tc.yaml, err)
		}
		if v.IsZero() != tc.zero || v.IsEmpty() != tc.empty {
			t.Errorf("%s: got zero %v, empty %v, want %v, %v", tc.yaml, v.IsZero(), v.IsEmpty(), tc.zero, tc.empty)
		}
		if v.File != tc.file || v.Reveal() != tc.text || v.String() != tc.shown {
			t.Errorf("%s: got file %q, text %q, %s, want %q, %q, %s", tc.yaml, v.File, v.Reveal(), v, tc.file, tc.text, tc.shown)
		}
	}
}

func TestBadValues(t *testing.T) {
	for yaml, part := range map[string]string{
		"value: [hunter2]":         "must be a mapping",
		"value: {flie: /run/key}":  "unknown key",
		"value: {file: [hunter2]}": "must be text",
	} {
		_, err := decode(t, yaml)
		fails(t, yaml, err, part)
	}
}

func TestFilePrevails(t *testing.T) {
	v := secret.Text(hidden)
	v.File = write(t, "key", "other")
	if v.Reveal() != "" || v.IsEmpty() || v.IsZero() {
		t.Errorf("got %q, empty %v, zero %v, want nothing revealed of what isn't used, and not empty", v.Reveal(), v.IsEmpty(), v.IsZero())
	}
	if got, err := secret.NewReader("key", v).Read(); got != "other" || err != nil {
		t.Errorf("got %q, %v, want what is in the file", got, err)
	}
}

func TestValueIsMasked(t *testing.T) {
	v := secret.Text(hidden)
	file := secret.NewFile("key", write(t, "key", hidden), limit)
	reader := secret.NewReader("key", secret.Value{File: write(t, "key", hidden)})
	holds(t, "the file", file, hidden)
	if got, err := reader.Read(); got != hidden || err != nil {
		t.Fatalf("got %q, %v, want the secret", got, err)
	}
	type options struct {
		Map map[string]secret.Value
		One *secret.Value
		own secret.Value
	}
	o := options{map[string]secret.Value{"key": v}, &v, v}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		for _, value := range []any{v, &v, o, &o, file, reader, secret.NewReader("key", v)} {
			got := fmt.Sprintf(verb, value)
			if strings.Contains(got, hidden) || strings.Contains(got, fmt.Sprintf(verb, []byte(hidden))) {
				t.Errorf("%s of %T: got %s, want it masked", verb, value, got)
			}
		}
	}
	got, err := json.Marshal(o)
	if want := `{"Map":{"key":"(secret)"},"One":"(secret)"}`; string(got) != want || err != nil {
		t.Errorf("JSON: got %s, %v, want %s", got, err, want)
	}
}
