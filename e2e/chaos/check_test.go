package chaos_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"sidestream/e2e/chaos"
)

// stored is a stream of three keys: a at 1, 3, 5, 7, 9, b at 2, 4, 6, 8, c at
// 10.
func stored() []chaos.Record {
	var all []chaos.Record
	for s := uint64(1); s <= 9; s++ {
		all = append(all, chaos.Record{Key: string("ba"[s%2]), Number: int(s+1) / 2, Sequence: s})
	}
	return append(all, chaos.Record{Key: "c", Number: 1, Sequence: 10})
}

func history(t *testing.T) *chaos.History {
	t.Helper()
	h, wrong := chaos.NewHistory(stored(), stored(), nil)
	if len(wrong) > 0 {
		t.Fatalf("got %s, want a history without violations", chaos.Report(wrong))
	}
	return h
}

// log makes a log of short words:
//
//	^       a connection without an id, ^5 one with that of sequence 5
//	5       the event of sequence 5 as it should be
//	5=a/2   an event with the id of sequence 5 and the record a/2
//	5!      a corrupted one, 5? one of another stream
//	gap:2:7 a gap of two that resumes at 7; "?" and "" stand for not known
//	live    a control event with the id that the client has; live:4 with another
//	503     an answer with that status
func log(t *testing.T, words string) []chaos.Entry {
	t.Helper()
	var entries []chaos.Entry
	id := ""
	all := stored()
	for word := range strings.FieldsSeq(words) {
		name, rest, _ := strings.Cut(word, ":")
		var n int
		scanned, _ := fmt.Sscanf(strings.TrimPrefix(word, "^"), "%d", &n)
		own := fmt.Sprintf("%d-s", n)
		switch {
		case word == "^":
			id = ""
			entries = append(entries, chaos.Connected{})
		case word[0] == '^':
			id = own
			entries = append(entries, chaos.Connected{LastEventID: id, To: "one"})
		case name == "gap":
			lost, resumed, _ := strings.Cut(rest, ":")
			g := chaos.Gap{ID: id, Reason: "overflow"}
			if lost != "?" {
				var number int64
				if _, err := fmt.Sscan(lost, &number); err != nil {
					t.Fatal(err)
				}
				g.Lost = &number
			}
			if resumed != "" {
				g.Resumed = resumed + "-s"
			}
			entries = append(entries, g)
		case name == "live":
			if rest != "" {
				id = rest + "-s"
			}
			entries = append(entries, chaos.Notice{ID: id, Type: "stream.live"})
		case scanned == 0:
			t.Fatalf("%q is no word of a log", word)
		case n > 100:
			entries = append(entries, chaos.Refused{Status: n})
		case strings.HasSuffix(word, "!"):
			id = own
			entries = append(entries, chaos.Event{ID: id, Err: errors.New("cut")})
		case strings.HasSuffix(word, "?"):
			entries = append(entries, chaos.NewEvent(fmt.Sprintf("%d-other", n), all[n-1].Payload()))
		case strings.Contains(word, "="):
			id = own
			r := chaos.Record{Key: word[len(word)-3 : len(word)-2], Number: int(word[len(word)-1] - '0')}
			entries = append(entries, chaos.NewEvent(id, r.Payload()))
		default:
			id = own
			entries = append(entries, chaos.NewEvent(id, all[n-1].Payload()))
		}
	}
	return entries
}

func TestCheck(t *testing.T) {
	const (
		missing, repeated, order = chaos.Missing, chaos.Repeated, chaos.OutOfOrder
		foreign, corrupted       = chaos.Foreign, chaos.Corrupted
		id, gap, gave, bad       = chaos.WrongID, chaos.WrongGap, chaos.GaveUp, chaos.BadLog
	)
	type kinds []chaos.Kind
	h := history(t)
	for _, tt := range []struct {
		name, key, log string
		want           kinds
	}{
		{"all, from the first on", "", "^ 1 2 3 4 5 6 7 8 9 10", nil},
		{"all, from somewhere", "", "^ 4 5 6 7 8 9 10", nil},
		{"one key", "a", "^ 1 3 5 7 9", nil},
		{"one key with control events", "b", "^ live 2 live 4 live 6 8 live", nil},
		{"placed by a control event", "b", "^ live:5 6 8", nil},
		{"resumed", "", "^ 3 4 ^4 5 6 ^6 ^6 7 8 9 10", nil},
		{"resumed with an older id", "", "^ 3 4 5 6 ^4 5 6 7 8 9 10", nil},
		{"begun anew", "a", "^ 1 3 ^ 7 9", nil},
		{"anew without an event", "a", "^ ^ ^ 9", nil},

		{"one lost", "", "^ 1 2 3 5 6 7 8 9 10", kinds{missing}},
		{"one lost of a key", "a", "^ 1 3 7 9", kinds{missing}},
		{"lost across a resume", "a", "^ 1 3 ^3 7 9", kinds{missing}},
		{"lost behind the id come with", "a", "^ 1 3 5 ^1 5 7 9", kinds{missing}},
		{"lost, and had on an earlier connection", "a", "^ 1 3 5 ^1 7 9", kinds{missing}},
		{"lost, and then had twice", "", "^ 1 4 ^1 2 3 2 4 5 6 7 8 9 10", kinds{missing, repeated}},
		{"lost after a control event placed the client", "b", "^ live:3 6 8", kinds{missing}},
		{"the last lost", "a", "^ 1 3 5 7", kinds{missing}},
		{"the last lost after a resume", "a", "^ 1 3 5 7 ^7", kinds{missing}},
		{"nothing came", "b", "^ live", kinds{missing}},
		{"never connected", "b", "", kinds{missing}},
		{"two lost in two places", "", "^ 1 3 4 6 7 8 9 10", kinds{missing, missing}},

		{"two swapped", "", "^ 1 2 4 3 5 6 7 8 9 10", kinds{order}},
		{"a run moved", "", "^ 1 4 5 2 3 6 7 8 9 10", kinds{order, order}},
		{"swapped, and one lost", "", "^ 1 4 2 5 6 7 8 9 10", kinds{missing, order}},

		{"one twice", "", "^ 1 2 2 3 4 5 6 7 8 9 10", kinds{repeated}},
		{"an old one again", "", "^ 1 2 3 4 2 5 6 7 8 9 10", kinds{repeated}},
		{"the one come with again", "", "^ 4 5 ^5 5 6 7 8 9 10", kinds{repeated}},
		{"one before the one come with", "", "^ 3 4 5 6 ^5 4 6 7 8 9 10", kinds{repeated}},
		{"again without a resume", "a", "^ 1 3 1 3 5 7 9", kinds{repeated, repeated}},

		{"a record of another key", "a", "^ 1 2 3 5 7 9", kinds{foreign}},
		{"a record of another key with an id of the own", "a", "^ 1 3=b/2 5 7 9", kinds{id, foreign, missing}},
		{"corrupted", "", "^ 1 2 3! 4 5 6 7 8 9 10", kinds{corrupted}},
		{"another record than the id says", "", "^ 1 2 3=a/3 4 5 6 7 8 9 10", kinds{id, missing, order, repeated}},
		{"an id that goes back", "", "^ 1 2 3 1=b/2 5 6 7 8 9 10", kinds{id}},
		{"an id of no record", "", "^ 1 2 3 88=b/2 5 6 7 8 9 10", kinds{id}},
		{"an id of another stream", "", "^ 1 2 3? 4 5 6 7 8 9 10", kinds{id}},
		{"a control event that moves the id", "", "^ 1 2 live:1 3 4 5 6 7 8 9 10", kinds{id}},

		{"a gap that covers", "", "^ 1 2 gap:3:5 6 7 8 9 10", nil},
		{"a gap that covers and can't count", "", "^ 1 2 gap:?:5 6 7 8 9 10", nil},
		{"a gap that names no place", "", "^ 1 2 gap:3: 6 7 8 9 10", nil},
		{"a gap for one key", "a", "^ 1 gap:2:6 7 9", nil},
		{"a gap that counts other keys too", "a", "^ 1 gap:5:6 7 9", kinds{gap}},
		{"a gap that is too small", "", "^ 1 2 gap:2:5 6 7 8 9 10", kinds{gap}},
		{"a gap that is too large", "", "^ 1 2 gap:4:5 6 7 8 9 10", kinds{gap}},
		{"a gap in the wrong place", "", "^ 1 gap:3:1 2 6 7 8 9 10", kinds{gap, missing}},
		{"a gap, and more lost behind it", "", "^ 1 2 gap:2:4 6 7 8 9 10", kinds{missing}},
		{"a gap where nothing is lost", "", "^ 1 2 gap:0:2 3 4 5 6 7 8 9 10", nil},
		{"a gap of one where nothing is lost", "", "^ 1 2 gap:1:2 3 4 5 6 7 8 9 10", kinds{gap}},
		{"an unknown number where nothing is lost", "", "^ 1 2 gap:?: 3 4 5 6 7 8 9 10", nil},
		{"two gaps that add up", "", "^ 1 gap:1:2 gap:2:4 5 6 7 8 9 10", nil},
		{"two gaps that don't", "", "^ 1 gap:2:3 gap:2:4 5 6 7 8 9 10", kinds{gap}},
		{"one of two that is too large already", "", "^ 1 gap:?:2 gap:4:4 5 6 7 8 9 10", kinds{gap}},
		{"a negative number", "", "^ 1 2 gap:-1:3 4 5 6 7 8 9 10", kinds{gap, gap}},
		{"a gap that goes back", "", "^ 4 5 gap:0:3 6 7 8 9 10", kinds{gap}},
		{"a gap on the connection before", "", "^ 1 2 gap:3:5 ^2 6 7 8 9 10", kinds{missing}},
		{"a gap, and then all of it after all", "", "^ 1 2 gap:3:5 ^2 3 4 5 6 7 8 9 10", nil},
		{"a gap for a client without a place", "", "^ gap:?:2 3 4 5 6 7 8 9 10", nil},
		{"a gap up to the end", "a", "^ 1 3 gap:3:9", nil},
		{"a gap up to the end, miscounted", "a", "^ 1 3 gap:2:9", kinds{gap}},
		{"a gap at the end that names no place", "a", "^ 1 3 gap:?:", kinds{missing}},

		{"refused", "a", "^ 1 503 ^1 3 5 7 9", kinds{gave}},
		{"an id that it never had", "a", "^ 1 3 ^5 7 9", kinds{bad}},
		{"an event out of nowhere", "a", "1 3 5 7 9", kinds{bad, bad, bad, bad, bad}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			found := h.Check(chaos.Client{Name: "client", Key: tt.key, Log: log(t, tt.log)})
			var got kinds
			for _, v := range found {
				got = append(got, v.Kind)
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("got %s\nwant %q", chaos.Report(found), tt.want)
			}
		})
	}
}

// A client for which everything is kept takes no gap, and a reason has to be
// one that is documented.
func TestCheckGaps(t *testing.T) {
	h := history(t)
	entries := log(t, "^ 1 2 gap:3:5 6 7 8 9 10")
	found := h.Check(chaos.Client{Log: entries, Complete: true})
	if len(found) != 1 || found[0].Kind != chaos.WrongGap || found[0].Entry != 3 {
		t.Errorf("complete: got %v, want the gap at entry 3", found)
	}
	g := entries[3].(chaos.Gap)
	g.Reason = "bored"
	entries[3] = g
	if found := h.Check(chaos.Client{Log: entries}); len(found) != 1 || !strings.Contains(found[0].Text, "bored") {
		t.Errorf("got %v, want the unknown reason", found)
	}
	g.Reason, g.Resumed = "expired", "soon"
	entries[3] = g
	if found := h.Check(chaos.Client{Log: entries}); len(found) != 1 || !strings.Contains(found[0].Text, "soon") {
		t.Errorf("got %v, want the malformed place", found)
	}
}

// Control events of a client that has a place carry its id.
func TestCheckControlWithoutID(t *testing.T) {
	entries := slices.Insert(log(t, "^ 9 10"), 2, chaos.Entry(chaos.Notice{Type: "stream.stale"}))
	if found := history(t).Check(chaos.Client{Log: entries}); len(found) != 1 || found[0].Kind != chaos.WrongID {
		t.Errorf("got %v, want the missing id", found)
	}
}

// What the broker has done wrong is told from what clients were done wrong.
func TestNewHistory(t *testing.T) {
	r := func(key string, number int, sequence uint64) chaos.Record {
		return chaos.Record{Key: key, Number: number, Sequence: sequence}
	}
	in := func(partition int, r chaos.Record) chaos.Record {
		r.Partition = partition
		return r
	}
	for _, tt := range []struct {
		name                 string
		stored, acknowledged []chaos.Record
		want                 []chaos.Kind
	}{
		{"as promised", []chaos.Record{r("a", 1, 1), r("b", 1, 2)}, []chaos.Record{r("b", 1, 2), r("a", 1, 1)}, nil},
		{"one that was not acknowledged", []chaos.Record{r("a", 1, 1), r("a", 2, 2)}, []chaos.Record{r("a", 1, 1)}, nil},
		{"one that was never stored", []chaos.Record{r("a", 1, 1), r("a", 3, 2)}, []chaos.Record{r("a", 1, 1), r("a", 3, 2)}, nil},
		{"lost", []chaos.Record{r("a", 1, 1)}, []chaos.Record{r("a", 1, 1), r("a", 2, 2)}, []chaos.Kind{chaos.Missing}},
		{"in another place", []chaos.Record{r("a", 1, 2)}, []chaos.Record{r("a", 1, 1)}, []chaos.Kind{chaos.Missing}},
		{"another in its place", []chaos.Record{r("b", 1, 1), r("a", 1, 2)}, []chaos.Record{r("a", 1, 1)}, []chaos.Kind{chaos.Missing}},
		{"twice", []chaos.Record{r("a", 1, 1), r("a", 1, 2)}, nil, []chaos.Kind{chaos.Repeated}},
		{"not in order", []chaos.Record{r("a", 2, 1), r("a", 1, 2)}, nil, []chaos.Kind{chaos.OutOfOrder}},
		{"in one place", []chaos.Record{r("a", 1, 1), r("b", 1, 1)}, nil, []chaos.Kind{chaos.Repeated}},
		{"aborted", []chaos.Record{r("x", 1, 1)}, nil, []chaos.Kind{chaos.Aborted}},
		{"not in order, in two partitions", []chaos.Record{r("a", 2, 1), in(1, r("a", 1, 2))}, nil, nil},
		{"twice, in two partitions", []chaos.Record{r("a", 1, 1), in(1, r("a", 1, 1))}, nil, []chaos.Kind{chaos.Repeated}},
		{"in another partition", []chaos.Record{in(1, r("a", 1, 1))}, []chaos.Record{r("a", 1, 1)}, []chaos.Kind{chaos.Missing}},
	} {
		h, found := chaos.NewHistory(tt.stored, tt.acknowledged, []chaos.Record{r("x", 1, 0)})
		var got []chaos.Kind
		for _, v := range found {
			got = append(got, v.Kind)
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s: got %v, want %q", tt.name, found, tt.want)
		}
		if h.Len() != len(tt.stored) {
			t.Errorf("%s: got %d records, want %d", tt.name, h.Len(), len(tt.stored))
		}
	}
	h := history(t)
	if got, want := h.Keys(), []string{"a", "b", "c"}; !slices.Equal(got, want) {
		t.Errorf("got keys %q, want %q", got, want)
	}
	if got, ok := h.Last(0, "b"); !ok || got != r("b", 4, 8) {
		t.Errorf("got last %v of b, want b/4@8", got)
	}
	if got, ok := h.Last(0, ""); !ok || got != r("c", 1, 10) {
		t.Errorf("got last %v, want c/1@10", got)
	}
	if got, ok := h.Last(0, "x"); ok {
		t.Errorf("got last %v of a key without records, want none", got)
	}
}
