package jsondoc

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"sidestream/adapters"
)

func TestNewErrors(t *testing.T) {
	_, err := New(Options{
		ArrayKeys: map[string]string{"items": "id", "/a~2": "id", "/b~": "id", "/c": "", "/d\xff": "id", "/e": "\xff", "/ok/*": "id", "": "id"},
		Ignore:    []string{"/ok/~0~1", "x", "/~", ""},
	})
	var joined interface{ Unwrap() []error }
	if !errors.As(err, &joined) {
		t.Fatalf("got error %v, want several", err)
	}
	var got []string
	for _, err := range joined.Unwrap() {
		var o *adapters.OptionError
		if !errors.As(err, &o) {
			t.Fatalf("got error %v, want an OptionError", err)
		}
		got = append(got, o.Path)
	}
	want := []string{"array_keys./a~2", "array_keys./b~", "array_keys./c", "array_keys./d\xff", "array_keys./e", "array_keys.items", "ignore[1]", "ignore[2]"}
	if !slices.Equal(got, want) {
		t.Errorf("got complaints of %q, want %q", got, want)
	}
}

func TestSame(t *testing.T) {
	const doc = `{"a":{"b":1,"c":[1,2]},"items":[{"at":1,"id":"x"},{"at":2,"id":"y"}],"v":1}`
	for _, tt := range []struct {
		ignore string // separated by spaces
		to     string
		want   bool
	}{
		{"-", doc, true},
		{"/v", strings.Replace(doc, `"v":1`, `"v":[{}]`, 1), true},
		{"/v", strings.Replace(doc, `,"v":1`, ``, 1), true},
		{"/v", strings.Replace(doc, `"v":1`, `"v":1,"w":1`, 1), false},
		{"/w", strings.Replace(doc, `"v":1`, `"v":1,"w":1`, 1), true},
		{"/v", strings.Replace(doc, `"b":1`, `"b":2`, 1), false},
		{"/v /a/b", strings.Replace(doc, `"b":1`, `"b":2`, 1), true},
		{"/a", strings.Replace(doc, `"b":1`, `"b":2`, 1), true},
		{"/items/*/at", strings.ReplaceAll(doc, `"at":`, `"at":1`), true},
		{"/items/0/at", strings.Replace(doc, `"at":1`, `"at":11`, 1), true},
		{"/items/1/at", strings.Replace(doc, `"at":1`, `"at":11`, 1), false},
		{"/items/01/at", strings.Replace(doc, `"at":2`, `"at":11`, 1), false},
		{"/*/*/at", strings.ReplaceAll(doc, `"at":`, `"at":1`), true},
		{"/items/*/at", strings.Replace(doc, `"id":"x"`, `"id":"z"`, 1), false},
		{"/items/*/at", strings.Replace(doc, `{"at":1,"id":"x"},`, ``, 1), false},
		{"/a/c/1", strings.Replace(doc, `[1,2]`, `[1]`, 1), true},
		{"/a/c/*", strings.Replace(doc, `[1,2]`, `[3,4,5]`, 1), true},
		{"/a/c/1", strings.Replace(doc, `[1,2]`, `[1,2,3]`, 1), false},
		{"/a/c/*", strings.Replace(doc, `[1,2]`, `{"0":1}`, 1), false},
		{"/a/*/c", strings.Replace(doc, `"b":1`, `"b":2`, 1), false},
		{"/v /*/c", strings.Replace(doc, `[1,2]`, `7`, 1), true},
	} {
		d := mustNew(t, Options{Ignore: strings.Fields(tt.ignore[strings.Index(tt.ignore, "-")+1:])})
		from, to := mustCanonical(t, []byte(doc)), mustCanonical(t, []byte(tt.to))
		for _, pair := range [][2][]byte{{from, to}, {to, from}} {
			if got := d.Same(pair[0], pair[1]); got != tt.want {
				t.Errorf("ignoring %s, %s the same as %s: got %t, want %t", tt.ignore, pair[0], pair[1], got, tt.want)
			}
		}
		checkPatch(t, d, from, to) // which doesn't know of it
	}
	if nothing := mustNew(t, Options{Ignore: []string{""}}); nothing.Same([]byte("1"), []byte("2")) {
		t.Error(`ignoring "": got no difference, want one`)
	}
	// Tokens are names as they are meant, however they are written.
	odd := mustNew(t, Options{Ignore: []string{"/a~1b~0c\"\n/", "/é", "/~01"}})
	a := mustCanonical(t, []byte(`{"a/b~c\"\n":{"":1},"\u00e9":1,"~1":1}`))
	b := mustCanonical(t, []byte(`{"a/b~c\"\u000a":{"":2},"é":2,"~1":2}`))
	if !odd.Same(a, b) {
		t.Errorf("%s the same as %s: got false, want true", a, b)
	}
}

func TestConcurrentUse(t *testing.T) {
	d := mustNew(t, Options{ArrayKeys: map[string]string{"/items": "id"}, Ignore: []string{"/generated_at"}})
	var wg sync.WaitGroup
	for n := range 4 {
		from, to := mustCanonical(t, orders(10+n)), mustCanonical(t, orders(15+n))
		want := string(checkPatch(t, d, from, to))
		wg.Go(func() {
			for range 20 {
				if patch, _, _ := d.Patch(from, to, noLimit); string(patch) != want {
					t.Errorf("%d orders: got %s, want %s", n, patch, want)
				}
				if d.Same(from, to) {
					t.Errorf("%d orders: got the same as 5 more", n)
				}
			}
		})
	}
	wg.Wait()
}
