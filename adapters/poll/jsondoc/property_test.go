package jsondoc

import (
	"bytes"
	"reflect"
	"testing"
)

// TestRandom changes random documents at random, a little and a lot.
func TestRandom(t *testing.T) {
	g := newGenerator(1)
	all := differs(t)
	merged := 0
	for range 1000 {
		tree := g.tree(3)
		from := mustCanonical(t, g.text(tree))
		if again := mustCanonical(t, g.text(tree)); !bytes.Equal(again, from) {
			t.Fatalf("two spellings of a document: got %s, want %s", again, from)
		}
		other := g.tree(3)
		if g.IntN(10) > 0 {
			other = g.change(tree, 2+g.IntN(12))
		}
		to := mustCanonical(t, g.text(other))
		for name, d := range all {
			if patch := checkPatch(t, d, from, to); (string(patch) == "[]") != bytes.Equal(from, to) {
				t.Fatalf("%s, from %s\nto %s: got %s", name, from, to, patch)
			}
			if got := d.Same(from, to); got != bytes.Equal(from, to) {
				t.Fatalf("%s, %s\nthe same as %s: got %t", name, from, to, got)
			}
		}
		checkMerge(t, all["aligned"], from, to)
		if _, ok := all["aligned"].Merge(from, to, noLimit); ok && !bytes.Equal(from, to) {
			merged++
		}
	}
	if merged < 100 {
		t.Errorf("got %d merge patches, want enough to tell", merged)
	}
}

// TestRandomRecords changes arrays of records, whose keys are as they should
// be most of the time.
func TestRandomRecords(t *testing.T) {
	g := newGenerator(2)
	all := differs(t)
	for range 300 {
		tree := fields{{`"items"`, g.records(2)}, {`"more"`, fields{{`"list"`, g.records(1)}}}}
		from := mustCanonical(t, g.text(tree))
		to := mustCanonical(t, g.text(g.change(tree, 3+g.IntN(10))))
		for _, d := range all {
			checkPatch(t, d, from, to)
		}
		checkMerge(t, all["aligned"], from, to)
	}
}

// TestReadTo checks that a tape made with the help of another is as if made
// without it.
func TestReadTo(t *testing.T) {
	g := newGenerator(3)
	d := mustNew(t, Options{})
	for range 1000 {
		tree := g.tree(3)
		from, to := mustCanonical(t, g.text(tree)), mustCanonical(t, g.text(g.change(tree, 20)))
		got, ok := d.compare(from, to)
		want, okWant := read(to, nil)
		if !ok || !okWant || !reflect.DeepEqual(got.to.nodes, want.nodes) {
			t.Fatalf("%s after %s: got %v, %t, want %v", to, from, got.to.nodes, ok, want.nodes)
		}
		d.release(got)
	}
}

func FuzzCanonical(f *testing.F) {
	for _, seed := range []string{`{"b":1,"a":[1e400,0.10,-0],"b":"\u00e9\/\ud800"}`, "\xef\xbb\xbf null ", `"\ud83d\ude00"`, `[[[{}]]]`, "\"\xff\"", `{"a":1}2`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		doc, err := Canonical(body)
		if err != nil {
			return
		}
		if len(doc) > len(body) {
			t.Errorf("%q: got %q, want nothing longer", body, doc)
		}
		if again := mustCanonical(t, doc); !bytes.Equal(again, doc) {
			t.Errorf("%q: got %q, then %q", body, doc, again)
		}
		plain := bytes.TrimPrefix(body, []byte("\xef\xbb\xbf"))
		if got, want := decode(t, doc), decode(t, plain); !reflect.DeepEqual(got, want) {
			t.Errorf("%q: got the value %v, want %v", body, got, want)
		}
	})
}

func FuzzPatch(f *testing.F) {
	g := newGenerator(4)
	for range 20 {
		tree := g.tree(3)
		f.Add(g.text(tree), g.text(g.change(tree, 6)))
	}
	f.Add([]byte(`{"items":[{"id":1},{"id":2},{"id":3}]}`), []byte(`{"items":[{"id":3},{"id":1,"x":2},{"id":"2"}]}`))
	f.Fuzz(func(t *testing.T, from, to []byte) {
		for _, d := range differs(t) {
			// Whatever it is, it does no harm.
			d.Patch(from, to, len(to))
			d.Merge(from, to, len(to))
			d.Same(from, to)
			a, err := Canonical(from)
			if err != nil {
				return
			}
			b, err := Canonical(to)
			if err != nil {
				return
			}
			checkPatch(t, d, a, b)
			checkMerge(t, d, a, b)
		}
	})
}
