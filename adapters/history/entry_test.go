package history

import (
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"sidestream/adapters"
)

// TestEntry: what is read of a message is what was written into it.
func TestEntry(t *testing.T) {
	long := strings.Repeat("words ", 4000)
	at := time.Date(2026, 3, 1, 12, 0, 0, 5, time.UTC)
	for name, e := range map[string]adapters.Event{
		"plain":        {Data: []byte("a"), Time: at},
		"nothing":      {Data: []byte{}, Time: at},
		"all":          {Type: "t", Key: "k\n", ID: "i", Data: []byte("a"), Null: true, Time: at, Headers: map[string][]string{"A": {"b", "c"}}, Meta: map[string]any{"m": "x"}},
		"long":         {Data: []byte(long), Time: at},
		"whole":        {Type: "s", Data: []byte("a"), State: &adapters.State{Type: "s", Data: []byte("a")}, Time: at},
		"change":       {Type: "p", Data: []byte("a"), State: &adapters.State{Type: "s", Data: []byte("bc")}, Time: at},
		"long change":  {Type: "p", Data: []byte("a"), State: &adapters.State{Type: "s", Data: []byte(long)}, Time: at},
		"same, typed":  {Type: "p", Data: []byte("a"), State: &adapters.State{Type: "s", Data: []byte("a")}, Time: at},
		"empty state":  {Type: "p", Data: []byte("a"), State: &adapters.State{Data: []byte{}}, Time: at},
		"gone":         {Key: "k", Data: []byte("gone"), State: &adapters.State{Gone: true}, Time: at},
		"no UTF-8":     {Key: "k\xff", ID: "\xfe", Data: []byte("a"), Time: at, Headers: map[string][]string{"A": {"b\xff", "[\"YQ==\"]"}}},
		"numbers":      {Data: []byte("a"), Time: at, Meta: map[string]any{"n": json.Number("12345678901234567890"), "x": json.Number("0.1")}},
		"not even one": {Data: []byte("\x00\xff\r\n"), Time: at},
	} {
		t.Run(name, func(t *testing.T) {
			x, payload := entryOf(&e)
			m, err := x.message("s", payload, 1<<20)
			if err != nil {
				t.Fatal(err)
			}
			if len(payload) > packed && len(m.Data) >= len(payload) {
				t.Errorf("got %d bytes for a payload of %d, want fewer", len(m.Data), len(payload))
			}
			y, read, err := readEntry(m.Header, m.Data)
			if err != nil {
				t.Fatal(err)
			}
			got, err := y.event(read, time.Now())
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, e) {
				t.Errorf("got %+v, want %+v", got, e)
			}
		})
	}
}

// TestEntryStored: an event without a time has that of the log.
func TestEntryStored(t *testing.T) {
	x, payload := entryOf(&adapters.Event{Data: []byte("a")})
	stored := time.Now()
	if e, err := x.event(payload, stored); err != nil || !e.Time.Equal(stored) {
		t.Errorf("got time %v, error %v, want %v", e.Time, err, stored)
	}
}

// TestEntryRefused: what can't be read again isn't written.
func TestEntryRefused(t *testing.T) {
	if _, err := (&entry{}).message("s", make([]byte, maxUnpacked+1), 1<<30); !errors.Is(err, adapters.ErrTooLarge) {
		t.Errorf("too long: got %v, want ErrTooLarge", err)
	}
	if _, err := (&entry{Meta: map[string]any{"n": math.NaN()}}).message("s", nil, 1<<20); !errors.Is(err, errUnwritable) {
		t.Errorf("no JSON: got %v, want that it can't be kept", err)
	}
}

// FuzzEntry: no message makes anything crash, and what is taken has its parts
// within the payload.
func FuzzEntry(f *testing.F) {
	for _, e := range []adapters.Event{{Data: []byte("a")}, {Data: []byte("a"), State: &adapters.State{Type: "s", Data: []byte("bc")}}} {
		x, payload := entryOf(&e)
		header, err := json.Marshal(x)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(header), payload)
	}
	f.Add(`{"state":"after","data":-1}`, []byte("a"))
	f.Add(`{"packed":true}`, []byte("a"))
	f.Fuzz(func(t *testing.T, header string, data []byte) {
		x, payload, err := readEntry(map[string][]string{headerEntry: {header}}, data)
		if err != nil {
			return
		}
		e, err := x.event(payload, time.Time{})
		if err == nil && len(e.Data) > len(payload) {
			t.Errorf("got %d bytes of data in a payload of %d", len(e.Data), len(payload))
		}
	})
}

// TestPositions: a position with a form is one of the stream, and compares with
// its like only.
func TestPositions(t *testing.T) {
	const a, b = "7-AAAAAAAA", "9-AAAAAAAA"
	one, two := formOf(true, "one"), formOf(true, "two")
	if one == two || formOf(false, "one") != "" || formOf(true, "") != "" {
		t.Fatalf("got the forms %q and %q", one, two)
	}
	if got, ok := one.without(one.with(a)); got != a || !ok {
		t.Errorf("got %q, %v", got, ok)
	}
	if _, ok := two.without(one.with(a)); ok {
		t.Error("a position in another form was taken")
	}
	for _, test := range []struct {
		a, b  adapters.Position
		order int
		ok    bool
	}{
		{a, b, -1, true}, {b, a, 1, true}, {a, a, 0, true},
		{one.with(a), one.with(b), -1, true}, {one.with(a), two.with(b), 0, false}, {a, one.with(b), 0, false},
		{"", a, 0, false}, {"x", a, 0, false},
	} {
		if order, ok := compare(test.a, test.b); order != test.order || ok != test.ok {
			t.Errorf("compare(%q, %q): got %d, %v, want %d, %v", test.a, test.b, order, ok, test.order, test.ok)
		}
	}
	if !one.with(a).Valid() {
		t.Error("the position can't be an id")
	}
}

// TestStreamName: names are valid ones, apart for different routes, and what a
// route is can be read.
func TestStreamName(t *testing.T) {
	seen := map[string]string{}
	for _, route := range []string{"/a/{b}", "/a/{c}", "example.com/a", "POST /a", "/a", "/é/*.>", "/" + strings.Repeat("x", 500)} {
		name := streamName("sidestream", route)
		if strings.ContainsAny(name, " .*>/\\") || len(name) > 128 || !strings.HasPrefix(name, "sidestream-") {
			t.Errorf("%s: got %q", route, name)
		}
		if other, ok := seen[name]; ok {
			t.Errorf("%s and %s: both %q", route, other, name)
		}
		seen[name] = route
	}
	if got := streamName("p", "/orders/{id}"); !strings.HasPrefix(got, "p-orders-id-") {
		t.Errorf("got %q", got)
	}
}
