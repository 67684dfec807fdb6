package historychaos_test

import (
	"bytes"
	"strings"
	"testing"

	"sidestream/e2e/historychaos"
)

// Every version is another document, and no document but that of a version is
// taken for one.
func TestDocument(t *testing.T) {
	before := []byte("{}")
	for version := range 200 {
		text := historychaos.Document(version + 1)
		if got, err := historychaos.Version(text); err != nil || got != version+1 {
			t.Fatalf("got version %d (%v) of %s, want %d", got, err, text, version+1)
		}
		if bytes.Equal(text, before) {
			t.Fatalf("version %d is the one before", version+1)
		}
		before = text
	}
	for _, bad := range []string{
		"", "{}", `{"version": 0}`, `{"version": 3}`,
		strings.Replace(string(before), "says", "said", 1),
		strings.Replace(string(before), `"version":200`, `"version":199`, 1),
	} {
		if got, err := historychaos.Version([]byte(bad)); err == nil {
			t.Errorf("%.60q: got version %d, want an error", bad, got)
		}
	}
}

func TestReader(t *testing.T) {
	first, other := string(historychaos.Document(1)), string(historychaos.Document(7))
	toSecond := `[{"op": "replace", "path": "/version", "value": 2},
		{"op": "add", "path": "/rows/row 2", "value": {"changed": 2, "text": "what version 2 says of it: 8"}},
		{"op": "add", "path": "/newest/-", "value": 2}]`
	type event struct{ typ, data string }
	for _, c := range []struct {
		name   string
		events []event
		want   int // 0: an error
	}{
		{"a document", []event{{"snapshot", other}}, 7},
		{"a change", []event{{"snapshot", first}, {"patch", toSecond}}, 2},
		{"a new document", []event{{"snapshot", first}, {"patch", toSecond}, {"snapshot", other}}, 7},
		{"a change without a document", []event{{"patch", toSecond}}, 0},
		{"a change of another document", []event{{"snapshot", other}, {"patch", toSecond}}, 0},
		{"a change that was made before", []event{{"snapshot", first}, {"patch", toSecond}, {"patch", toSecond}}, 0},
		{"a change that doesn't fit", []event{{"snapshot", first}, {"patch", `[{"op": "remove", "path": "/rows/row 9"}]`}}, 0},
		{"no change", []event{{"snapshot", first}, {"patch", "{}"}}, 0},
		{"something else", []event{{"snapshot", first}, {"message", other}}, 0},
		{"no document", []event{{"snapshot", "{}"}}, 0},
	} {
		var r historychaos.Reader
		var got int
		var err error
		for _, e := range c.events {
			got, err = r.Apply(e.typ, []byte(e.data))
		}
		if got != c.want || (err == nil) != (c.want > 0) {
			t.Errorf("%s: got version %d (%v), want %d", c.name, got, err, c.want)
		}
	}
}
