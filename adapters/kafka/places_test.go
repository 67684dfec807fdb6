package kafka

import (
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"sidestream/adapters"
)

// largePlace returns one that is too long for a position, and different for
// each i.
func largePlace(i int) *place {
	p := newTestPlace(dense(1, 1, make([]int64, 1000)...))
	p.topics[0].parts[0].next = int64(i)
	return p
}

func TestPosition(t *testing.T) {
	places := newPlaces(1 << 20)
	p := newTestPlace(dense(hashName("orders"), 0xa0b0c0d0, 1042, 7))
	p.last = at{0, 1}
	for _, c := range []struct {
		name  string
		place *place
		want  adapters.Position
	}{
		{"nothing", newPlace(), "AQAAAA"},
		{"two partitions", p, "AQABAQEcForboLDA0ASSCAc"},
		// The first 16 bytes of its SHA-256, as it is written.
		{"one that is kept", largePlace(1), ".0a5BYp9akgbGtSMMtAGjVA"},
	} {
		got := places.position(c.place)
		if got != c.want || !got.Valid() {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
		if again := newPlaces(1 << 20).position(c.place.clone()); again != got {
			t.Errorf("%s: got %q elsewhere, want %q", c.name, again, got)
		}
		back, err := places.parse(got)
		if err != nil || fmt.Sprint(back) != fmt.Sprint(c.place) {
			t.Errorf("%s: parse(%q): got %v, %v, want %v", c.name, got, back, err, c.place)
		}
	}
}

// The longest place that is its own position has 720 bytes.
func TestPositionLength(t *testing.T) {
	places := newPlaces(1 << 20)
	of := func(size int) *place { // one with that many bytes
		p := newTestPlace(dense(1, 1, make([]int64, size-4-8-2)...))
		if got := len(p.appendTo(nil)); got != size {
			t.Fatalf("got a place of %d bytes, want %d", got, size)
		}
		return p
	}
	longest := base64.RawURLEncoding.DecodedLen(adapters.MaxPosition)
	if got := places.position(of(longest)); len(got) != adapters.MaxPosition || !got.Valid() {
		t.Errorf("got a position of %d bytes for the longest place that has one, want %d", len(got), adapters.MaxPosition)
	}
	if got := places.position(of(longest + 1)); len(got) != 23 || !got.Valid() {
		t.Errorf("got the position %q for a longer one, want a dot and 22 letters", got)
	}
}

func TestParseRefuses(t *testing.T) {
	places := newPlaces(1 << 20)
	good := string(places.position(newTestPlace(dense(1, 2, 3))))
	kept := string(places.position(largePlace(1)))
	for _, text := range []string{
		"", ".", "A", "AQAAAA=", "AQAAAA==", " " + good, good + " ", good + "\n", good[:5] + "\n" + good[5:], good[:len(good)-1], good + "A", good + "AA",
		"." + good, kept + "A", kept[:22], kept[1:], "." + kept, kept + "\n", "~", "1042-abcdefgh", "äöü", "\x00", strings.Repeat("A", 1<<16),
		good[:len(good)-1] + "_", // bits behind the end
		base64.RawURLEncoding.EncodeToString(largePlace(1).appendTo(nil)),
	} {
		if p, err := places.parse(adapters.Position(text)); !errors.Is(err, errMalformed) {
			t.Errorf("parse(%.40q): got %v, %v, want %v", text, p, err, errMalformed)
		}
		if got, ok := places.compare(adapters.Position(text), adapters.Position(text)); ok {
			t.Errorf("compare(%.40q, itself): got %d and ok, want not ok", text, got)
		}
	}
	if p, err := newPlaces(1 << 20).parse(adapters.Position(kept)); !errors.Is(err, errForgotten) {
		t.Errorf("got %v, %v elsewhere than where it is kept, want %v", p, err, errForgotten)
	}
}

func TestCompare(t *testing.T) {
	places := newPlaces(1 << 20)
	small := func(next ...int64) adapters.Position { return places.position(newTestPlace(dense(1, 1, next...))) }
	for _, c := range []struct {
		name  string
		a, b  adapters.Position
		order int
		ok    bool
	}{
		{"before", small(1, 2), small(1, 3), -1, true},
		{"behind", small(2, 3), small(1, 3), 1, true},
		{"the same", small(2, 3), small(2, 3), 0, true},
		{"neither", small(2, 3), small(3, 2), 0, false},
		{"kept ones", places.position(largePlace(5)), places.position(largePlace(6)), -1, true},
		{"a kept one", small(5), places.position(largePlace(6)), -1, true},
		{"malformed", small(1), "AQ", 0, false},
		{"empty", "", small(1), 0, false},
		{"forgotten", newPlaces(0).position(largePlace(99)), small(1), 0, false},
	} {
		if got, ok := places.compare(c.a, c.b); got != c.order || ok != c.ok {
			t.Errorf("%s: got %d, %t, want %d, %t", c.name, got, ok, c.order, c.ok)
		}
	}
}

// An encoder that is used again writes nothing into positions that it gave out.
func TestEncoder(t *testing.T) {
	places := newPlaces(1 << 20)
	e := places.encoder()
	r := rand.New(rand.NewPCG(5, 6))
	type pair struct {
		place *place
		pos   adapters.Position
	}
	var pairs []pair
	for range 200 {
		p := randomPlace(r, 4)
		if r.IntN(5) == 0 {
			p = largePlace(r.IntN(1000))
		}
		pairs = append(pairs, pair{p, e.position(p)})
	}
	for _, p := range pairs {
		back, err := places.parse(p.pos)
		if err != nil || fmt.Sprint(back) != fmt.Sprint(p.place) {
			t.Errorf("parse(%q): got %v, %v, want %v", p.pos, back, err, p.place)
		}
	}
}

func TestPlacesConcurrently(t *testing.T) {
	places := newPlaces(64 << 10)
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			e := places.encoder()
			for i := range 200 {
				pos := e.position(largePlace(i + g))
				if p, err := places.parse(pos); err == nil && p.topics[0].parts[0].next != int64(i+g) {
					t.Errorf("got place %d, want %d", p.topics[0].parts[0].next, i+g)
				} else if err != nil && !errors.Is(err, errForgotten) {
					t.Errorf("got %v, want a place, or %v", err, errForgotten)
				}
				places.compare(pos, places.position(largePlace(i)))
			}
		})
	}
	wg.Wait()
}

// What is taken for a position is what the place it stands for is written as.
func FuzzParse(f *testing.F) {
	places := newPlaces(1 << 20)
	r := rand.New(rand.NewPCG(7, 8))
	for range 20 {
		f.Add(string(places.position(randomPlace(r, 3))))
	}
	f.Add(string(places.position(newTestPlace(dense(1, 2, math.MaxInt64)))))
	f.Add(string(places.position(largePlace(1))))
	f.Add("AQAAAA==")
	f.Fuzz(func(t *testing.T, text string) {
		pos := adapters.Position(text)
		p, err := places.parse(pos)
		if err != nil {
			if !errors.Is(err, errMalformed) && !errors.Is(err, errForgotten) {
				t.Errorf("parse(%q): got %v, want %v or %v", text, err, errMalformed, errForgotten)
			}
			return
		}
		if got := places.position(p); got != pos || !got.Valid() {
			t.Errorf("position of parse(%q): got %q, want the same", text, got)
		}
		if got, ok := places.compare(pos, pos); !ok || got != 0 {
			t.Errorf("compare(%q, itself): got %d, %t, want 0, true", text, got, ok)
		}
	})
}
