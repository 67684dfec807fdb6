package chaos_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"sidestream/e2e/chaos"
)

// parted is a stream of three partitions: in each of the first two a at 1, 3,
// 5 and b at 2, 4, 6; the third begins later, and has a at 1, 2, 3. Numbers of
// a key go on from one partition to the next. At 8 of the first, after an
// offset that holds nothing, there is c.
func parted() []chaos.Record {
	var all []chaos.Record
	for p := range 2 {
		for s := range 6 {
			all = append(all, chaos.Record{Key: string("ab"[s%2]), Number: 3*p + s/2 + 1, Partition: p, Sequence: uint64(s + 1)})
		}
	}
	for s := range 3 {
		all = append(all, chaos.Record{Key: "a", Number: 7 + s, Partition: 2, Sequence: uint64(s + 1)})
	}
	return append(all, chaos.Record{Key: "c", Number: 1, Partition: 0, Sequence: 8})
}

// partedLog makes a log of short words:
//
//	^        a connection without an id, ^x one with the id x
//	0/5      the event of partition 0, sequence 5; with an id that says only how many events there were before
//	0/5=x    the same, with the id x
//	0/5:a/2  the record a/2 as if it were there
//	gap:2    a gap of two; "?" stands for not known
//	live     a control event with the id that the client has; live=x with another
//	+2       partition 2 is added
func partedLog(t *testing.T, words string) []chaos.Entry {
	t.Helper()
	var entries []chaos.Entry
	id := ""
	for word := range strings.FieldsSeq(words) {
		word, own, named := strings.Cut(word, "=")
		var partition, sequence int
		switch {
		case word[0] == '^':
			id = word[1:]
			entries = append(entries, chaos.Connected{LastEventID: id})
		case word[0] == '+':
			entries = append(entries, chaos.Added{Partition: int(word[1] - '0')})
		case strings.HasPrefix(word, "gap:"):
			g := chaos.Gap{ID: id, Reason: "overflow", Resumed: "somewhere"}
			if lost := word[4:]; lost != "?" {
				g.Lost = new(int64(lost[0] - '0'))
			}
			entries = append(entries, g)
		case word == "live":
			if named {
				id = own
			}
			entries = append(entries, chaos.Notice{ID: id, Type: "stream.live"})
		default:
			place, other, isOther := strings.Cut(word, ":")
			if _, err := fmt.Sscanf(place, "%d/%d", &partition, &sequence); err != nil {
				t.Fatalf("%q is no word of a log", word)
			}
			id = own
			if !named {
				id = fmt.Sprintf("id%d", len(entries))
			}
			all := parted()
			i := slices.IndexFunc(all, func(r chaos.Record) bool { return r.Partition == partition && r.Sequence == uint64(sequence) })
			r := chaos.Record{}
			if i >= 0 {
				r = all[i]
			}
			if isOther {
				r = chaos.Record{Key: other[:1], Number: int(other[2] - '0')}
			}
			entries = append(entries, chaos.NewPlacedEvent(id, partition, uint64(sequence), r.Key, r.Payload()))
		}
	}
	return entries
}

func TestCheckPartitions(t *testing.T) {
	const (
		missing, repeated, order = chaos.Missing, chaos.Repeated, chaos.OutOfOrder
		foreign, aborted         = chaos.Foreign, chaos.Aborted
		id, gap, bad             = chaos.WrongID, chaos.WrongGap, chaos.BadLog
	)
	type kinds []chaos.Kind
	h, wrong := chaos.NewHistory(parted(), parted(), []chaos.Record{{Key: "x", Number: 1}})
	if len(wrong) > 0 {
		t.Fatalf("got %s, want a history without violations", chaos.Report(wrong))
	}
	// The ends of all partitions, for logs that are about something else.
	const ends = " 0/5 0/6 0/8 1/5 1/6 2/3"
	for _, tt := range []struct {
		name, key, log string
		want           kinds
	}{
		{"one after the other", "", "^ 0/1 0/2 0/3 0/4 0/5 0/6 0/8 1/1 1/2 1/3 1/4 1/5 1/6 2/1 2/2 2/3", nil},
		{"in turns", "", "^ 0/4 1/4 0/5 1/5 2/2 1/6 0/6 2/3 0/8", nil},
		{"one key", "a", "^ 1/1 0/3 2/1 0/5 1/3 2/2 1/5 2/3", nil},
		{"control events", "", "^ live=x 0/4 1/4 live" + ends, kinds{}},
		{"resumed", "", "^ 0/3 1/4=x ^x 0/4 2/2" + ends, nil},
		{"resumed with an older id", "", "^ 0/3 1/3=x 0/4 2/2 1/4 ^x 1/4 2/2 0/4" + ends, nil},
		{"in another order the second time", "", "^ 0/3 1/3=x 0/4=y 1/4=z ^x 1/4=v 0/4=z" + ends, nil},
		{"begun anew", "", "^ 0/1 0/2 1/1 ^ 0/4 1/4" + ends, nil},

		{"one lost", "", "^ 0/3 1/4" + strings.Replace(ends, "0/6 ", "", 1), kinds{missing, missing}},
		{"one lost of a key", "a", "^ 0/1 0/5 1/5 2/3", kinds{missing}},
		{"lost across a resume", "", "^ 0/3 1/3=x ^x 1/4" + ends, kinds{missing}},
		{"lost before the first of a partition", "", "^ 0/4=x 1/5 2/3 ^x 1/4" + ends, kinds{repeated}},
		{"lost before the first of a partition, the second time", "", "^ 0/4=x 1/4 1/5 ^x" + ends, kinds{missing}},
		{"the last of a partition lost", "", "^ 0/4 1/4" + strings.TrimSuffix(ends, " 2/3"), kinds{missing}},
		{"had on another connection only", "", "^ 0/4 0/5 1/4 1/5 1/6 2/3 0/6 0/8 ^ 0/5 0/6 0/8", kinds{missing, missing}},

		{"swapped", "", "^ 1/4 0/3 0/5 0/4 0/6 0/8 1/5 1/6 2/3", kinds{order}},
		{"one twice", "", "^ 1/4 0/4 1/4" + ends, kinds{repeated}},
		{"the one come with again", "", "^ 1/4 0/4=x ^x 0/4" + ends, kinds{repeated}},
		{"an older one after a resume", "", "^ 1/4 0/4=x ^x 1/4" + ends, kinds{repeated}},

		{"a record of another key", "a", "^ 0/4 0/5 1/5 2/3", kinds{foreign}},
		{"another record than is there", "", "^ 0/4:b/1 1/4" + ends, kinds{id, missing}},
		{"where nothing is", "", "^ 1/4 0/4 0/5 0/6 0/7:b/9 0/8 1/5 1/6 2/3", kinds{id}},
		{"in a partition that isn't", "", "^ 1/4 0/4 7/1:b/9" + ends, kinds{id}},
		{"an aborted one", "", "^ 1/4 0/4 0/5 0/6 0/7:x/1 0/8 1/5 1/6 2/3", kinds{aborted}},
		{"one id twice", "", "^ 0/4=x 1/4=x" + ends, kinds{id}},
		{"one id for two places", "", "^ 0/4 1/4=x ^ 0/5 1/5=x 0/6 0/8 1/6 2/3", kinds{id}},
		{"a control event that moves the id", "", "^ 0/4 1/4 live=x" + ends, kinds{id}},

		{"a gap", "", "^ 0/1 1/1 2/1 gap:6 0/4 1/4 2/3 0/5 0/6 0/8 1/5 1/6", kinds{gap}},
		{"a gap that counts", "", "^ 0/1 1/1 2/1 gap:5 0/4 1/4 2/3 0/5 0/6 0/8 1/5 1/6", nil},
		{"a gap in one partition", "", "^ 0/1 1/4 2/2 gap:2" + " 0/4" + ends, nil},
		{"a gap that can't count", "", "^ 0/1 1/1 2/1 gap:? 0/4 1/4 2/3 0/5 0/6 0/8 1/5 1/6", nil},
		{"a gap that is too small", "", "^ 0/1 1/1 2/1 gap:4 0/4 1/4 2/3 0/5 0/6 0/8 1/5 1/6", kinds{gap}},
		{"two gaps that add up", "", "^ 0/1 1/1 2/1 gap:2 0/4 gap:3 1/4 2/3 0/5 0/6 0/8 1/5 1/6", nil},
		{"a gap, and one lost behind it", "", "^ 0/1 1/1 2/1 gap:5 0/4 1/4 2/3 0/6 0/8 1/5 1/6", kinds{missing}},
		{"a gap, and not all before the next connection", "", "^ 0/1 1/1 2/1 gap:5 0/4=x ^x 1/4 2/3" + strings.TrimSuffix(ends, " 2/3"), nil},
		{"a gap that is too small, before the next connection", "", "^ 0/1 1/1 2/1 gap:1 0/4=x ^x 1/4 2/3" + strings.TrimSuffix(ends, " 2/3"), kinds{gap}},
		{"a gap, and lost on the next connection", "", "^ 0/1 1/1 2/1 gap:5 0/4=x 1/4 2/3 ^x" + ends, kinds{missing}},
		{"a gap up to the end", "", "^ 0/4 1/4 2/2 gap:6", kinds{missing, missing, missing}},

		{"a partition added", "a", "^ 0/3 1/3 +2 2/1 2/2 2/3 0/5 1/5", nil},
		{"a partition added, the first lost", "a", "^ 0/3 1/3 +2 2/2 2/3 0/5 1/5", kinds{missing}},
		{"a partition added, the first lost on a resume", "a", "^ 0/3 1/3=x +2 ^x 2/2 2/3 0/5 1/5", kinds{missing}},
		{"a partition added before the client has an id", "a", "^ +2 0/3 1/3 2/2 2/3 0/5 1/5", nil},
		{"a partition added before the client came anew", "a", "^ 0/3 +2 ^ 0/3 1/3 2/2 2/3 0/5 1/5", nil},

		{"an id that it never had", "", "^ 0/4 1/4 ^x" + ends, kinds{bad}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			found := h.Check(chaos.Client{Name: "client", Key: tt.key, Log: partedLog(t, tt.log), Opaque: true})
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
