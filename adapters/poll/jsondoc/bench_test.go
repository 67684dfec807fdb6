package jsondoc

import (
	"bytes"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/wI2L/jsondiff"
)

// orders returns a document of n orders, as an API would write it, about 280
// bytes each.
func orders(n int) []byte {
	var out bytes.Buffer
	out.WriteString(`{"generated_at": "2024-05-17T10:00:00Z", "items": [`)
	for i := range n {
		if i > 0 {
			out.WriteString(", ")
		}
		out.Write(order(i, "open"))
	}
	out.WriteString(`], "total": 17}`)
	return out.Bytes()
}

func order(i int, state string) []byte {
	return fmt.Appendf(nil, `{"id": %d, "customer": {"name": "Customer no. %d", "city": "Zürich", "vip": %t}, "state": %q, `+
		`"lines": [{"sku": "A-%05d", "quantity": %d, "price": 19.90}, {"sku": "B-%05d", "quantity": 1, "price": 0.10}], `+
		`"tags": ["new", "web", "\u00e9t\u00e9"], "note": null, "total": %d.5}`,
		i, i%977, i%7 == 0, state, i*7%99991, i%9+1, i*13%99991, i%1000)
}

// large is about 10 MB in canonical form.
func large(b *testing.B) (body, from, to []byte) {
	b.Helper()
	body = orders(40_000)
	from = mustCanonical(b, body)
	to = bytes.Replace(from, []byte(`"id":20000,`), []byte(`"id":20000,"extra":true,`), 1)
	if to = mustCanonical(b, to); bytes.Equal(from, to) {
		b.Fatal("got no change, want one")
	}
	return body, from, to
}

func mustCanonical(tb testing.TB, body []byte) []byte {
	tb.Helper()
	doc, err := Canonical(body)
	if err != nil {
		tb.Fatalf("Canonical(%.200s): got error %v", body, err)
	}
	return doc
}

func mustNew(tb testing.TB, o Options) *Differ {
	tb.Helper()
	d, err := New(o)
	if err != nil {
		tb.Fatalf("New(%v): got error %v", o, err)
	}
	return d
}

// BenchmarkLarge has a document of 10 MB, of 40,000 records in one array, with
// one member added in the middle. In one run, on a busy machine:
//
//	canonical                        62 ms    40 MB allocated
//	  in that form already           40 ms    34 MB
//	  by encoding/json              331 ms   207 MB
//	patch, aligned                   15 ms     1.3 MB
//	patch, by key                    18 ms     8.6 MB
//	  decoded by encoding/json      152 ms    80 MB (one of the two documents)
//	  by jsondiff                   413 ms   159 MB
//
// So a patch takes a tenth of the time in which encoding/json decodes one
// document, and 1/28 of jsondiff's. Its LCS option is left out: it makes a table
// of 40,000 by 40,000 entries. jsondiff doesn't need canonical documents: with
// what it takes to make these of two, the times are 140 ms to 413 ms.
func BenchmarkLarge(b *testing.B) {
	body, from, to := large(b)
	b.Run("canonical", func(b *testing.B) {
		measure(b, len(body), func() []byte { return mustCanonical(b, body) })
	})
	b.Run("canonical already", func(b *testing.B) {
		measure(b, len(from), func() []byte { return mustCanonical(b, from) })
	})
	b.Run("canonical by encoding/json", func(b *testing.B) {
		measure(b, len(body), func() []byte { return throughTree(b, body) })
	})
	b.Run("decode by encoding/json", func(b *testing.B) {
		measure(b, len(to), func() []byte {
			var value any
			if err := json.Unmarshal(to, &value); err != nil {
				b.Fatal(err)
			}
			return nil
		})
	})
	for _, way := range ways(b)[:3] { // the fourth would take 12 GB
		b.Run("patch "+way.name, func(b *testing.B) {
			measure(b, len(to), func() []byte { return way.patch(b, from, to) })
		})
	}
	b.Run("merge", func(b *testing.B) {
		d := mustNew(b, Options{})
		measure(b, len(to), func() []byte {
			patch, _ := d.Merge(from, to, len(to))
			return patch
		})
	})
}

// BenchmarkThousand has 1,000 records in one array, 250 kB in all, of which one
// is inserted in the middle, one is moved, or each tenth is changed. In one run:
//
//	              by key           aligned          jsondiff         jsondiff LCS
//	insert        0.42 ms  289 B   0.32 ms  289 B    19 ms  202 kB   130 ms  287 B
//	move          0.63 ms   55 B   0.66 ms  325 B    16 ms  242 kB   131 ms  323 B
//	change 10 %   0.83 ms  6.1 kB  0.85 ms  6.1 kB   10 ms  6.1 kB   133 ms  6.1 kB
//
// A key pays when elements move; without one an insertion is found as well, and
// sooner. jsondiff saves two bytes where it writes 19.90 as 19.9.
func BenchmarkThousand(b *testing.B) {
	from := mustCanonical(b, items(thousand(order)))
	for _, name := range []string{"insert", "move", "change 10 %"} {
		to := mustCanonical(b, items(edits(order)[name](thousand(order))))
		for _, way := range ways(b) {
			b.Run(name+" "+way.name, func(b *testing.B) {
				measure(b, len(to), func() []byte { return way.patch(b, from, to) })
			})
		}
	}
}

// measure measures what makes a text from a document of so many bytes.
func measure(b *testing.B, size int, f func() []byte) {
	b.Helper()
	b.SetBytes(int64(size))
	b.ReportAllocs()
	var text []byte
	for b.Loop() {
		text = f()
	}
	b.ReportMetric(float64(len(text)), "B-made")
}

// A way makes a patch.
type way struct {
	name  string
	patch func(b *testing.B, from, to []byte) []byte
}

func ways(b *testing.B) []way {
	b.Helper()
	own := func(o Options) func(*testing.B, []byte, []byte) []byte {
		d := mustNew(b, o)
		return func(b *testing.B, from, to []byte) []byte {
			b.Helper()
			patch, _, ok := d.Patch(from, to, len(to))
			if !ok {
				b.Fatal("got no patch")
			}
			return patch
		}
	}
	other := func(o ...jsondiff.Option) func(*testing.B, []byte, []byte) []byte {
		return func(b *testing.B, from, to []byte) []byte {
			b.Helper()
			patch, err := jsondiff.CompareJSON(from, to, o...)
			if err != nil {
				b.Fatal(err)
			}
			text, err := json.Marshal(patch)
			if err != nil {
				b.Fatal(err)
			}
			return text
		}
	}
	return []way{
		{"by key", own(Options{ArrayKeys: map[string]string{"/items": "id"}})},
		{"aligned", own(Options{})},
		{"jsondiff", other()},
		{"jsondiff LCS", other(jsondiff.LCS())},
	}
}

// throughTree is canonical form by way of a decoded tree.
func throughTree(b *testing.B, body []byte) []byte {
	b.Helper()
	value, err := decodeText(body)
	if err != nil {
		b.Fatal(err)
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(value); err != nil {
		b.Fatal(err)
	}
	return out.Bytes()
}
