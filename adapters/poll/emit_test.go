package poll

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	jsonpatch "github.com/evanphx/json-patch/v5"

	"sidestream/adapters"
	"sidestream/adapters/poll/jsondoc"
)

// watch polls answers, one after the other, and returns the events for them.
func watch(t *testing.T, answers []string, edit func(*Options)) (list []adapters.Event) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		n := 0
		s := newTestSource(script(func(*http.Request) (*http.Response, error) {
			n++
			resp := reply(http.StatusOK, answers[min(n, len(answers))-1])
			resp.Header.Set("Content-Type", "application/json")
			return resp, nil
		}), func(o *Options) {
			o.Every, o.Jitter = evenly(time.Second), 0
			edit(o)
		})
		span := time.Duration(len(answers)-1)*time.Second + time.Millisecond
		until(t, s, span, func(e adapters.Event) error {
			if !e.Live {
				list = append(list, e)
			}
			return nil
		})
	})
	return list
}

// texts are the types and data of events.
func texts(events []adapters.Event) []string {
	list := make([]string, len(events))
	for i, e := range events {
		list[i] = strings.TrimSpace(e.Type + " " + string(e.Data))
	}
	return list
}

func TestEmit(t *testing.T) {
	filler := `"filler":"` + strings.Repeat("x", 100) + `"`
	doc := func(rest string) string { return `{` + filler + `,` + rest + `}` }
	tests := []struct {
		name    string
		edit    func(*Options)
		answers []string
		want    []string
	}{
		{"patch", func(o *Options) { o.Emit = emitPatch },
			[]string{doc(`"n":1`), doc(`"n":1.0`), doc(`"n":1.0`), doc(`"n":null`)},
			[]string{"snapshot " + doc(`"n":1`), `patch [{"op":"replace","path":"/n","value":1.0}]`, `patch [{"op":"replace","path":"/n","value":null}]`}},
		{"patch larger than max_patch", func(o *Options) { o.Emit, o.MaxPatch = emitPatch, 0.1 },
			[]string{doc(`"n":1`), doc(`"n":2`)},
			[]string{"snapshot " + doc(`"n":1`), "snapshot " + doc(`"n":2`)}},
		{"patch of a small document", func(o *Options) { o.Emit = emitPatch },
			[]string{`{"n":1}`, `{"n":2}`}, []string{`snapshot {"n":1}`, `snapshot {"n":2}`}},
		{"keyed arrays", func(o *Options) { o.Emit, o.ArrayKeys = emitPatch, map[string]string{"/list": "id"} },
			[]string{doc(`"list":[{"id":1,"v":1},{"id":2,"v":1}]`), doc(`"list":[{"id":2,"v":1},{"id":1,"v":1}]`)},
			[]string{"snapshot " + doc(`"list":[{"id":1,"v":1},{"id":2,"v":1}]`), `patch [{"op":"move","from":"/list/1","path":"/list/0"}]`}},
		{"merge", func(o *Options) { o.Emit = emitMerge },
			[]string{doc(`"n":1`), doc(`"m":{"n":2}`), doc(`"m":null`)},
			[]string{"snapshot " + doc(`"n":1`), `merge {"m":{"n":2},"n":null}`, "snapshot " + doc(`"m":null`)}},
		{"ignore", func(o *Options) { o.Ignore = []string{"/time", "del(.list[].seen)"} },
			[]string{`{"n":1,"time":1,"list":[{"seen":1}]}`, `{"n":1,"time":2,"list":[{"seen":1}]}`, `{"n":1,"list":[{"seen":2}]}`, `{"n":2,"time":3,"list":[{"seen":4}]}`},
			[]string{`{"list":[{"seen":1}],"n":1,"time":1}`, `{"list":[{"seen":4}],"n":2,"time":3}`}},
		{"ignored parts are in patches", func(o *Options) { o.Emit, o.Ignore = emitPatch, []string{"/time"} },
			[]string{doc(`"n":1,"time":1`), doc(`"n":1,"time":2`), doc(`"n":2,"time":3`)},
			[]string{"snapshot " + doc(`"n":1,"time":1`), `patch [{"op":"replace","path":"/n","value":2},{"op":"replace","path":"/time","value":3}]`}},
		{"select", func(o *Options) { o.Select = "select(.ok) | .data" },
			[]string{`{"ok":true,"data":{"b":1e400,"a":123456789012345678901234567890}}`, `{"ok":false}`, `{"ok":true,"data":{"a":123456789012345678901234567890,"b":1e400}}`, `{"ok":true,"data":"text"}`},
			[]string{`{"a":123456789012345678901234567890,"b":1e400}`, `text`}},
		{"raw", func(o *Options) { o.Emit, o.Type = emitRaw, "page" },
			[]string{`{ "n": 1 }`, `{"n":1}`, `{"n":1}`}, []string{`page { "n": 1 }`, `page {"n":1}`}},
		{"items", func(o *Options) { o.Emit, o.Items.Key = emitItems, ".id" },
			[]string{`[{"id":1,"v":"a"},{"id":"2","v":"b"},{"id":3,"v":"c"}]`, `[{"id":3,"v":"c"},{"id":1,"v":"A"}]`, `[{"v":"c","id":3},{"id":1,"v":"A"}]`, `[{"id":1,"v":"A"},{"id":3,"v":"c"},{"id":0,"v":"<\u00e9>"}]`},
			[]string{`snapshot [["1",{"id":1,"v":"a"}],["2",{"id":"2","v":"b"}],["3",{"id":3,"v":"c"}]]`, `delete {"key":"2"}`, `upsert {"id":1,"v":"A"}`, `upsert {"id":0,"v":"<é>"}`}},
		{"items with types and data", func(o *Options) {
			o.Emit, o.Items.Each, o.Items.Key = emitItems, "to_entries[]", ".key"
			o.Items.Type, o.Items.Data = ".value.kind", ".value.text"
		},
			[]string{`{"a":{"kind":"note","text":"one"},"b":{"text":"same"}}`, `{"a":{"kind":"alert","text":"two"},"b":{"text":"same"}}`, `{"b":{"text":"same"}}`, `{}`},
			[]string{`snapshot [["a","one"],["b","same"]]`, `alert two`, `delete {"key":"a"}`, `delete {"key":"b"}`}},
		{"items ignore", func(o *Options) { o.Emit, o.Items.Key, o.Ignore = emitItems, ".id", []string{"/seen"} },
			[]string{`[{"id":1,"seen":1},{"id":2,"seen":1,"v":1}]`, `[{"id":1,"seen":2},{"id":2,"seen":2,"v":1}]`, `[{"id":1,"seen":3},{"id":2,"seen":3,"v":2}]`, `[{"id":1,"seen":1},{"id":2,"seen":3,"v":2}]`},
			[]string{`snapshot [["1",{"id":1,"seen":1}],["2",{"id":2,"seen":1,"v":1}]]`, `upsert {"id":2,"seen":3,"v":2}`}},
		{"many changed items", func(o *Options) { o.Emit, o.Items.Key, o.MaxPatch = emitItems, ".id", 0.5 },
			[]string{`[{"id":1,"v":1},{"id":2,"v":1}]`, `[{"id":1,"v":2},{"id":2,"v":2}]`, `[]`},
			[]string{`snapshot [["1",{"id":1,"v":1}],["2",{"id":2,"v":1}]]`, `snapshot [["1",{"id":1,"v":2}],["2",{"id":2,"v":2}]]`, `delete {"key":"1"}`, `delete {"key":"2"}`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := texts(watch(t, tt.answers, tt.edit)); !slices.Equal(got, tt.want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(tt.want, "\n"))
			}
		})
	}
}

// TestItemTypes: the types that mean something else to who receives items are
// no types of items.
func TestItemTypes(t *testing.T) {
	for typ, fine := range map[string]bool{typeSnapshot: false, typeDelete: false, "gone": true} {
		s := newTestSource(script(func(*http.Request) (*http.Response, error) {
			return reply(http.StatusOK, `[{"id":1}]`), nil
		}), func(o *Options) { o.Emit, o.Items.Key, o.Items.Type = emitItems, ".id", strconv.Quote(typ) })
		if fine {
			take(t, s, "", 1)
		} else {
			wantReason(t, fail(t, s), errExpression.Error())
		}
	}
}

// TestApplied: whoever applies the events has, after each of them, the state
// that comes with it, and in the end the document, however it changes.
func TestApplied(t *testing.T) {
	for _, emit := range []Emit{emitPatch, emitMerge, emitItems} {
		t.Run(string(emit), func(t *testing.T) {
			for seed := range uint64(40) {
				rng := rand.New(rand.NewPCG(seed, 7))
				answers := make([]string, 50)
				list := []int{}
				for i := range answers {
					list = mutate(rng, list)
					answers[i] = listing(rng, list)
				}
				events := watch(t, answers, func(o *Options) {
					o.Emit, o.ArrayKeys = emit, map[string]string{}
					switch {
					case emit == emitItems:
						o.Items.Each, o.Items.Key, o.ArrayKeys = ".list[]", ".id", nil
					case emit == emitPatch && seed%2 == 0:
						o.ArrayKeys["/list"] = "id"
					}
				})
				c := new(applier)
				for i, e := range events {
					c.apply(t, e)
					if e.State == nil {
						continue
					}
					if got, want := c.text(t), canonicalText(t, e.State.Data); got != want {
						t.Fatalf("seed %d, event %d (%s): got %s, want %s", seed, i, e.Data, got, want)
					}
				}
				want := canonicalText(t, []byte(answers[len(answers)-1]))
				if got := c.text(t); emit != emitItems && got != want {
					t.Errorf("seed %d: got %s in the end, want %s", seed, got, want)
				}
			}
		})
	}
}

func mutate(rng *rand.Rand, list []int) []int {
	list = slices.Clone(list)
	for range rng.IntN(4) {
		switch at := rng.IntN(len(list) + 1); {
		case rng.IntN(3) > 0 || len(list) == 0:
			list = slices.Insert(list, at, rng.IntN(1000))
		case at < len(list):
			list = slices.Delete(list, at, at+1)
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

func listing(rng *rand.Rand, list []int) string {
	rng.Shuffle(rng.IntN(2)*len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	items := make([]string, len(list))
	for i, n := range list {
		items[i] = fmt.Sprintf(`{"id":%d,"name":"item ~/%d","price":%d.10,"tags":["a","b"]}`, n, n, rng.IntN(3))
	}
	return fmt.Sprintf(`{"list":[%s],"a/b~c":{"":%d},"huge":1e400}`, strings.Join(items, ","), rng.IntN(2))
}

// An applier does what a client does.
type applier struct {
	doc   []byte
	items map[string]json.RawMessage // emit: items
}

func (a *applier) apply(t *testing.T, e adapters.Event) {
	t.Helper()
	var err error
	switch e.Type {
	case typeSnapshot:
		a.doc, a.items = e.Data, nil
	case typePatch:
		var p jsonpatch.Patch
		if p, err = jsonpatch.DecodePatch(e.Data); err == nil {
			a.doc, err = p.Apply(a.doc)
		}
	case typeMerge:
		a.doc, err = jsonpatch.MergePatch(a.doc, e.Data)
	case typeUpsert:
		var item struct{ ID json.Number }
		err = json.Unmarshal(e.Data, &item)
		a.collection(t)[item.ID.String()] = e.Data
	case typeDelete:
		var gone struct{ Key string }
		err = json.Unmarshal(e.Data, &gone)
		if _, ok := a.collection(t)[gone.Key]; !ok {
			t.Errorf("delete of %q: got none, want an item that is there", gone.Key)
		}
		delete(a.items, gone.Key)
	}
	if err != nil {
		t.Fatalf("%s %s: %v", e.Type, e.Data, err)
	}
}

func (a *applier) collection(t *testing.T) map[string]json.RawMessage {
	t.Helper()
	if a.items == nil {
		a.items = map[string]json.RawMessage{}
		var pairs [][2]json.RawMessage
		if err := json.Unmarshal(a.doc, &pairs); err != nil {
			t.Fatal(err)
		}
		for _, p := range pairs {
			var key string
			json.Unmarshal(p[0], &key)
			a.items[key] = p[1]
		}
	}
	return a.items
}

// text is what the client has, in canonical form.
func (a *applier) text(t *testing.T) string {
	t.Helper()
	if a.items == nil {
		return canonicalText(t, a.doc)
	}
	keys := make([]string, 0, len(a.items))
	for key := range a.items {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	pairs := make([]string, len(keys))
	for i, key := range keys {
		pairs[i] = fmt.Sprintf("[%q,%s]", key, a.items[key])
	}
	return canonicalText(t, []byte("["+strings.Join(pairs, ",")+"]"))
}

func canonicalText(t *testing.T, doc []byte) string {
	t.Helper()
	text, err := jsondoc.Canonical(doc)
	if err != nil {
		t.Fatalf("%s: %v", doc, err)
	}
	return string(text)
}

// TestDocumentsAreReleased: a source keeps no document that it has no use for,
// also if the client that opened it has that already.
func TestDocumentsAreReleased(t *testing.T) {
	for emit, kept := range map[Emit]bool{emitSnapshot: false, emitRaw: false, emitPatch: true} {
		for _, after := range []adapters.Position{"", positionOf([]byte(`{"a":1}`))} {
			s := newTestSource(script(func(*http.Request) (*http.Response, error) {
				return reply(http.StatusOK, `{"a":1}`), nil
			}), func(o *Options) { o.Emit = emit })
			take(t, s, after, 1)
			if got := len(s.content.(*whole).doc.data) > 0; got != kept {
				t.Errorf("%s after %q: got the document kept %v, want %v", emit, after, got, kept)
			}
		}
	}
}
