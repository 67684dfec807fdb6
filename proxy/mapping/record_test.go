package mapping

import (
	"strings"
	"testing"
	"time"

	"sidestream/adapters"
)

// What is known of a record has variables of its own, null where a source
// doesn't know of such a thing.
func TestRecordVariables(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 6e6, time.UTC)
	const all = `[$topic, $partition, $offset, $timestamp, $subject]`
	for _, tt := range []struct {
		meta map[string]any
		want string
	}{
		{map[string]any{"topic": "orders", "partition": int64(3), "offset": int64(1 << 53), "timestamp": at}, `["orders",3,9007199254740992,"2026-01-02T03:04:05.006Z",null]`},
		{nil, `[null,null,null,null,null]`},
	} {
		got, err := apply(t, Spec{Data: all}, adapters.Event{Position: "pos", Data: []byte("1"), Meta: tt.meta})
		if want := "pos|||" + tt.want; err != nil || strings.Join(got, " ") != want {
			t.Errorf("%v: got %q, %v, want %q", tt.meta, got, err, want)
		}
	}
	for _, name := range []string{"$topic", "$partition", "$offset", "$timestamp"} {
		m, err := Compile(defaulted(Spec{Data: name}), "")
		if err != nil || !m.NeedsMeta() {
			t.Errorf("%s: got NeedsMeta %t, %v, want true", name, m.NeedsMeta(), err)
		}
	}
}

// Of a message without a payload expressions see null, and what stands for it
// stays unless they make something else of it.
func TestNull(t *testing.T) {
	in := adapters.Event{Position: "pos", Type: "delete", Key: "user 1", Data: []byte("user 1"), Null: true}
	for _, tt := range []struct {
		spec Spec
		want string
	}{
		{Spec{Where: ".total == null"}, "pos|delete|user 1|user 1"},
		{Spec{Where: ".total > 0"}, ""},
		{Spec{Data: "{key: $key, order: .}"}, `pos|delete|user 1|{"key":"user 1","order":null}`},
		{Spec{Decode: decodeText, Data: ". // \"none\""}, "pos|delete|user 1|none"},
	} {
		got, err := apply(t, tt.spec, in)
		if err != nil || strings.Join(got, " ") != tt.want {
			t.Errorf("%+v: got %q, %v, want %q", tt.spec, got, err, tt.want)
		}
	}
}

// Where other messages may come between, the parts of one are found by its own
// position.
func TestSplitOfPartitioned(t *testing.T) {
	m, err := Compile(defaulted(Spec{Each: ".[]"}), "")
	if err != nil {
		t.Fatal(err)
	}
	in := adapters.Event{Position: "pos", Data: []byte("[1,2,3]")}
	for partitioned, want := range map[bool]string{false: "prev~1 prev~2 pos", true: "pos~1 pos~2 pos"} {
		out, err := m.Apply(t.Context(), &in, "prev", Scope{Partitioned: partitioned}, nil)
		if err != nil {
			t.Fatal(err)
		}
		var ids []string
		for _, e := range out {
			ids = append(ids, string(e.Position))
		}
		if got := strings.Join(ids, " "); got != want {
			t.Errorf("partitioned %t: got ids %q, want %q", partitioned, got, want)
		}
	}
}
