package chaos_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"sidestream/e2e/chaos"
)

// states is a compacted stream: of the keys a to e, a was set at 1, 4 and 7, b at
// 2 and 5, c at 3 and taken away at 6, d is gone since 8, and e came at 9. What
// was replaced may be there or not.
func states() (stored, acknowledged []chaos.Record) {
	of := func(key string, number int, sequence uint64, gone bool) chaos.Record {
		return chaos.Record{Key: key, Number: number, Sequence: sequence, Gone: gone}
	}
	acknowledged = []chaos.Record{
		of("a", 1, 1, false), of("b", 1, 2, false), of("c", 1, 3, false), of("a", 2, 4, false), of("b", 2, 5, false),
		of("c", 2, 6, true), of("a", 3, 7, false), of("d", 2, 8, true), of("e", 1, 9, false),
	}
	return acknowledged[3:], acknowledged
}

// stateLog makes a log of short words:
//
//	^       a connection without an id, ^x one with the id x
//	a1@4    the value of a with that number, as if it were at that sequence; with a1@4=x the id is x
//	-a      the event that a is gone
//	gap     a gap, after which all comes anew; skip one after which that doesn't
//	live    a control event with the id that the client has
//	503     an answer with that status
func stateLog(words string) []chaos.Entry {
	var entries []chaos.Entry
	id := ""
	for word := range strings.FieldsSeq(words) {
		word, own, named := strings.Cut(word, "=")
		var number int
		var sequence uint64
		switch {
		case word[0] == '^':
			id = word[1:]
			entries = append(entries, chaos.Connected{LastEventID: id})
			continue
		case word == "gap":
			entries = append(entries, chaos.Gap{ID: id, Reason: "expired"})
			continue
		case word == "skip":
			entries = append(entries, chaos.Gap{ID: id, Reason: "overflow"})
			continue
		case word == "live":
			entries = append(entries, chaos.Notice{ID: id, Type: "stream.live"})
			continue
		case word == "503":
			entries = append(entries, chaos.Refused{Status: 503})
			continue
		}
		id = own
		if !named {
			id = fmt.Sprintf("id%d", len(entries))
		}
		if word[0] == '-' {
			entries = append(entries, chaos.Event{ID: id, Record: chaos.Record{Key: word[1:], Gone: true}})
			continue
		}
		_, _ = fmt.Sscanf(word[1:], "%d@%d", &number, &sequence) // a word that is none becomes an event at 0
		key := word[:1]
		entries = append(entries, chaos.NewPlacedEvent(id, 0, sequence, key, chaos.Record{Key: key, Number: number}.Payload()))
	}
	return entries
}

func TestCheckState(t *testing.T) {
	const (
		repeated, order, id = chaos.Repeated, chaos.OutOfOrder, chaos.WrongID
		state, gap          = chaos.WrongState, chaos.WrongGap
		gave, bad           = chaos.GaveUp, chaos.BadLog
	)
	type kinds []chaos.Kind
	s, wrong := chaos.NewState(states())
	if len(wrong) > 0 {
		t.Fatalf("got %s, want a state without violations", chaos.Report(wrong))
	}
	for _, tt := range []struct {
		name, log string
		want      kinds
	}{
		{"all that happened", "^ a1@1 b1@2 c1@3 a2@4 b2@5 -c a3@7 -d e1@9", nil},
		{"the newest of each", "^ e1@9 b2@5 a3@7 live", nil},
		{"some, and then what changes", "^ a2@4 c1@3 b2@5 live -c a3@7 e1@9", nil},
		{"resumed", "^ a2@4 c1@3 b2@5=x live ^x live -c a3@7 e1@9", nil},
		{"resumed with an older id", "^ a2@4 c1@3=x b2@5 -c a3@7 ^x b2@5 a3@7 -c e1@9", nil},
		{"begun anew", "^ a1@1 c1@3 ^ a3@7 b2@5 e1@9", nil},
		{"gone twice", "^ a3@7 b2@5 e1@9 -d -d", nil},
		{"a gap, and the state", "^ c1@3 gap a3@7 b2@5 e1@9", kinds{gap}},

		{"a change lost", "^ a2@4 b2@5 live e1@9", kinds{state}},
		{"a key lost", "^ a3@7 e1@9", kinds{state}},
		{"a deletion lost", "^ a3@7 b2@5 c1@3 e1@9", kinds{state}},
		{"a deletion lost across a resume", "^ a2@4 b2@5 c1@3=x ^x a3@7 e1@9", kinds{state}},
		{"a deletion of what is there", "^ a3@7 b2@5 e1@9 -b", kinds{state}},
		{"the state not kept over a gap", "^ a3@7 b2@5 gap e1@9", kinds{gap, state, state}},
		{"the state kept over a gap of changes", "^ a3@7 b2@5 skip e1@9", kinds{gap}},
		{"nothing came", "^ live", kinds{state, state, state}},

		{"a value twice", "^ a3@7 b2@5 a3@7 e1@9", kinds{repeated}},
		{"a value twice across a resume", "^ a3@7 b2@5=x ^x a3@7 e1@9", kinds{repeated}},
		{"an older value", "^ a3@7 b2@5 a2@4 a3@7 e1@9", kinds{order}},
		{"a value that is gone already", "^ a3@7 b2@5 c1@3 -c c1@3 -c e1@9", kinds{order}},
		{"a value in another place", "^ a3@8 b2@5 e1@9", kinds{id, state}},
		{"refused", "^ 503 ^ a3@7 b2@5 e1@9", kinds{gave}},
		{"an id that it never had", "^ a3@7 ^x a3@7 b2@5 e1@9", kinds{bad}},
		{"an event out of nowhere", "a3@7 b2@5 e1@9", kinds{bad}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			found := s.Check(chaos.Client{Name: "client", Log: stateLog(tt.log), Opaque: true, Complete: true})
			var got kinds
			for _, v := range found {
				got = append(got, v.Kind)
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("got %s\nwant %q", chaos.Report(found), tt.want)
			}
		})
	}
	corrupted := []chaos.Entry{chaos.Connected{}, chaos.NewPlacedEvent("x", 0, 9, "e", []byte("e"))}
	if found := s.Check(chaos.Client{Log: corrupted}); len(found) == 0 || found[0].Kind != chaos.Corrupted {
		t.Errorf("got %v, want the corrupted value first", found)
	}
}

// A record that was acknowledged is the newest of its key, or was replaced.
func TestNewState(t *testing.T) {
	stored, acknowledged := states()
	for _, lost := range []int{2, 3, 4, 5} { // the newest of c, a, d and e
		some := slices.Delete(slices.Clone(stored), lost, lost+1)
		if _, found := chaos.NewState(some, acknowledged); len(found) != 1 || found[0].Kind != chaos.Missing {
			t.Errorf("got %v without %v, want it missing", found, stored[lost])
		}
	}
}
