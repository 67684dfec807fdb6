package jsondoc

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
)

// A generator makes JSON documents and changes them, in a tree of its own:
// strings are scalars as they are written, []any arrays, fields objects.
type generator struct{ *rand.Rand }

type (
	fields []field
	field  struct {
		name  string // as it is written, with quotes
		value any
	}
)

func newGenerator(seed uint64) generator { return generator{rand.New(rand.NewPCG(seed, 1))} }

func pick[T any](g generator, list ...T) T { return list[g.IntN(len(list))] }

func (g generator) name() string {
	return pick(g, `"a"`, `"b"`, `"id"`, `""`, `"~"`, `"/"`, `"~1"`, `"a/b~c"`, `"-"`, `"0"`, `"01"`, `"é"`, `"\u00e9"`, `"\""`,
		`"\\"`, `"\n"`, `"\u0000"`, `"a b"`, `"日本"`, `"\ud83d\ude00"`, `"a!"`, `"*"`, `"<&>"`, `"name"`)
}

func (g generator) scalar() string {
	return pick(g, "null", "true", "false", "0", "-0", "0.10", "1e400", "1E+2", "123456789012345678901234567890", "1", "2", "3", "1.0",
		`""`, `"x"`, `"\u2028"`, `"\/"`, `"\ud800"`, `"a\"]},{["`, `"\\"`, `"<script>"`, `"long enough to be worth something, `+strings.Repeat("z", g.IntN(60))+`"`)
}

func (g generator) tree(depth int) any {
	switch kind := g.IntN(4); {
	case depth == 0 || kind == 0:
		return g.scalar()
	case kind == 1:
		list := make([]any, g.IntN(5))
		for i := range list {
			list[i] = g.tree(depth - 1)
		}
		return list
	case kind == 2:
		return g.records(depth)
	default:
		object := make(fields, g.IntN(5))
		for i := range object {
			object[i] = field{g.name(), g.tree(depth - 1)}
		}
		return object
	}
}

// records returns an array whose elements have keys, as a rule.
func (g generator) records(depth int) any {
	list := make([]any, g.IntN(8))
	for i := range list {
		list[i] = g.record(i, depth)
	}
	return list
}

func (g generator) record(id, depth int) any {
	if g.IntN(60) == 0 {
		return g.tree(depth - 1)
	}
	key := strconv.Itoa(id)
	key = pick(g, key, strconv.Quote(key))
	return fields{{`"id"`, key}, {g.name(), g.tree(depth - 1)}, {`"text"`, g.scalar()}}
}

// change returns the tree with about one in so many parts changed.
func (g generator) change(v any, one int) any {
	if g.IntN(one*4) == 0 {
		return g.tree(2)
	}
	switch v := v.(type) {
	case []any:
		list := make([]any, 0, len(v))
		for _, e := range v {
			switch g.IntN(one * 2) {
			case 0:
			case 1:
				list = append(list, g.record(100+g.IntN(100), 2), e)
			case 2:
				list = append(list, e, e)
			default:
				list = append(list, g.change(e, one))
			}
		}
		for len(list) > 1 && g.IntN(3) == 0 {
			from := g.IntN(len(list))
			e := list[from]
			list = slices.Insert(slices.Delete(list, from, from+1), g.IntN(len(list)), e)
		}
		return list
	case fields:
		object := fields{}
		for _, f := range v {
			switch g.IntN(one * 2) {
			case 0:
			case 1:
				object = append(object, f, field{g.name(), g.tree(2)})
			default:
				object = append(object, field{f.name, g.change(f.value, one)})
			}
		}
		return object
	default:
		if g.IntN(one) == 0 {
			return g.scalar()
		}
		return v
	}
}

// text writes a tree with white space here and there.
func (g generator) text(v any) []byte {
	var out strings.Builder
	g.write(&out, v)
	return []byte(out.String())
}

func (g generator) write(out *strings.Builder, v any) {
	space := func() { out.WriteString(pick(g, "", "", " ", "\n\t")) }
	space()
	switch v := v.(type) {
	case string:
		out.WriteString(v)
	case []any:
		out.WriteString("[")
		for i, e := range v {
			if i > 0 {
				out.WriteString(",")
			}
			g.write(out, e)
		}
		out.WriteString("]")
	case fields:
		out.WriteString("{")
		for i, f := range v {
			if i > 0 {
				out.WriteString(",")
			}
			space()
			out.WriteString(f.name)
			space()
			out.WriteString(":")
			g.write(out, f.value)
		}
		out.WriteString("}")
	}
	space()
}
