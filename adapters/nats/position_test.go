package nats

import (
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"sidestream/adapters"
)

func TestPosition(t *testing.T) {
	id := identify("ORDERS", time.Unix(1_700_000_000, 1))
	tests := []struct {
		name  string
		place place
		want  string
	}{
		{"before all", place{id: id}, "0-" + string(id)},
		{"a sequence", place{id: id, seq: 1042}, "1042-" + string(id)},
		{"the largest", place{id: id, seq: 1<<64 - 1}, "18446744073709551615-" + string(id)},
		{"with a time", place{id: id, seq: 7, at: 1_700_000_000}, "7-" + string(id) + "-s44we8"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := tt.place.position()
			if string(got) != tt.want || !got.Valid() {
				t.Errorf("position: got %q, want %q", got, tt.want)
			}
			back, ok := parsePlace(got)
			if !ok || back != tt.place {
				t.Errorf("parsePlace(%q): got %+v, %t, want %+v", got, back, ok, tt.place)
			}
		})
	}
}

// An identity is that of a name and a time of creation, and of no other pair
// that reads alike.
func TestIdentity(t *testing.T) {
	then := time.Unix(1_700_000_000, 0)
	seen := map[identity]string{}
	for _, s := range []struct {
		name    string
		created time.Time
	}{
		{"A", then}, {"B", then}, {"A", then.Add(1)}, {"A\n1", then}, {"KV_A", then},
	} {
		id := identify(s.name, s.created)
		if len(id) != identitySize {
			t.Errorf("got identity %q, want %d bytes", id, identitySize)
		}
		if other, twice := seen[id]; twice {
			t.Errorf("got the identity of %q for %q", other, s.name)
		}
		seen[id] = s.name
	}
	if here, there := identify("A", then), identify("A", then.UTC().In(time.FixedZone("x", 3600))); here != there {
		t.Errorf("got identities %q and %q of one moment in two zones, want one", here, there)
	}
}

func TestParsePlaceRefuses(t *testing.T) {
	const id = "abcdefgh"
	for _, text := range []string{
		"", "-", "1", "1-", "-" + id, "1-abcdefg", "1-abcdefghi", "1-" + id + "-", "1-" + id + "-0", "1-" + id + "--1", "1-" + id + "-+1",
		"1-" + id + "-01", "1-" + id + "-A", "01-" + id, "+1-" + id, " 1-" + id, "1-" + id + " ", "1-abcd.fgh", "1-abcdefg=",
		"18446744073709551616-" + id, "-1-" + id, "0x1-" + id, "1_0-" + id, "1-" + id + "-1-1", "1-" + id + "-zzzzzzzzzzzzzz",
		"1-äöüß", strings.Repeat("9", 1<<16),
	} {
		if got, ok := parsePlace(adapters.Position(text)); ok {
			t.Errorf("parsePlace(%.40q): got %+v, want it refused", text, got)
		}
	}
}

func TestComparePositions(t *testing.T) {
	const a, b = "abcdefgh", "abcdefgi"
	tests := []struct {
		a, b  adapters.Position
		order int
		ok    bool
	}{
		{"9-" + a, "10-" + a, -1, true},
		{"10-" + a, "9-" + a, 1, true},
		{"9-" + a, "9-" + a, 0, true},
		{"9-" + a + "-1", "9-" + a + "-2", 0, true}, // one place, whatever its time
		{"9-" + a, "10-" + b, 0, false},
		{"9-" + a, "", 0, false},
		{"", "9-" + a, 0, false},
		{"", "", 0, false},
	}
	for _, tt := range tests {
		order, ok := comparePositions(tt.a, tt.b)
		if order != tt.order || ok != tt.ok {
			t.Errorf("comparePositions(%q, %q): got %d, %t, want %d, %t", tt.a, tt.b, order, ok, tt.order, tt.ok)
		}
	}
}

// What is taken for a position is what the place it stands for is written as.
func FuzzParsePlace(f *testing.F) {
	for _, seed := range []string{"0-abcdefgh", "1042-qX3_t0Wk-t5g2q4", "01-abcdefgh", "1-", "-abcdefgh"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		pos := adapters.Position(text)
		p, ok := parsePlace(pos)
		if !ok {
			if p != (place{}) && p.position() == pos {
				t.Errorf("parsePlace(%q): got it refused, want %+v", text, p)
			}
			return
		}
		if got := p.position(); got != pos || !got.Valid() {
			t.Errorf("parsePlace(%q).position(): got %q, want the same", text, got)
		}
		if order, ok := comparePositions(pos, pos); !ok || order != 0 {
			t.Errorf("comparePositions(%q, itself): got %d, %t, want 0, true", text, order, ok)
		}
	})
}

func TestSubsumes(t *testing.T) {
	tests := []struct {
		a, b string
		want bool
	}{
		{">", "a", true}, {">", "a.>", true}, {"a.>", "a.b", true}, {"a.>", "a", false}, {"a.>", "a.>", true},
		{"a.>", "a.*.c", true}, {"a.*", "a.b", true}, {"a.*", "a.>", false}, {"a.*", "a.b.c", false},
		{"a.*", "a.*", true}, {"a.b", "a.*", false}, {"a.b", "a.b", true}, {"a.b", "a", false}, {"*.>", ">", false},
	}
	for _, tt := range tests {
		if got := subsumes(tt.a, tt.b); got != tt.want {
			t.Errorf("subsumes(%q, %q): got %t, want %t", tt.a, tt.b, got, tt.want)
		}
	}
}

func TestRestarted(t *testing.T) {
	at := time.Unix(1_000_000, 0)
	for _, tt := range []struct {
		name  string
		place place
		state streamState
		want  bool
	}{
		{"the oldest message is older", place{seq: 10, at: at.Unix()}, streamState{first: 1, last: 20, messages: 20, oldest: at.Add(-time.Minute)}, false},
		{"sequences began anew", place{seq: 10, at: at.Unix()}, streamState{first: 1, last: 20, messages: 20, oldest: at.Add(time.Minute)}, true},
		{"by clocks that differ", place{seq: 10, at: at.Unix()}, streamState{first: 1, last: 20, messages: 20, oldest: at.Add(clockSkew)}, false},
		{"all up to there has expired", place{seq: 10, at: at.Unix()}, streamState{first: 11, last: 20, messages: 10, oldest: at.Add(time.Minute)}, false},
		{"nothing is there", place{seq: 10, at: at.Unix()}, streamState{first: 11, last: 10, oldest: at.Add(time.Minute)}, false},
		{"the time isn't known", place{seq: 10, at: 1}, streamState{first: 1, last: 20, messages: 20, oldest: at.Add(time.Minute)}, false},
		{"the place has none", place{seq: 10}, streamState{first: 1, last: 20, messages: 20, oldest: at.Add(time.Minute)}, false},
	} {
		if tt.state.restarted(tt.place) {
			t.Errorf("%s, of a stream on files: got true, want false", tt.name)
		}
		tt.state.config.Storage = jetstream.MemoryStorage
		if got := tt.state.restarted(tt.place); got != tt.want {
			t.Errorf("%s: got %v, want %v", tt.name, got, tt.want)
		}
	}
}
