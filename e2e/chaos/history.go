package chaos

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
)

// A History is what a stream holds. Make one with [NewHistory].
type History struct {
	all     [][]Record            // of each partition, by sequence
	byKey   []map[string][]Record // the same, of each key
	numbers map[name]Record
	aborted map[name]bool
}

// A name tells a record from all others.
type name struct {
	key    string
	number int
}

func (r Record) name() name { return name{r.Key, r.Number} }

// NewHistory returns the history of a stream that holds these records, and
// how the broker has failed its producers: with a record that it acknowledged
// and doesn't hold, or holds in another place, with one that it holds although
// it was aborted, and with records of a key that are there twice or, in one
// partition, not in order. Such violations are none of a client's.
func NewHistory(stored, acknowledged, aborted []Record) (*History, []Violation) {
	h := &History{numbers: map[name]Record{}, aborted: map[name]bool{}}
	for _, r := range aborted {
		h.aborted[r.name()] = true
	}
	stored = slices.Clone(stored)
	slices.SortStableFunc(stored, byPlace)
	var found []Violation
	fail := func(kind Kind, format string, args ...any) {
		found = append(found, Violation{Client: "the stream", Kind: kind, Entry: -1, Text: fmt.Sprintf(format, args...)})
	}
	for i, r := range stored {
		if i > 0 && byPlace(stored[i-1], r) == 0 {
			fail(Repeated, "%v and %v are in one place", stored[i-1], r)
		}
		if h.aborted[r.name()] {
			fail(Aborted, "%v is stored", r)
		}
		for len(h.all) <= r.Partition {
			h.all, h.byKey = append(h.all, nil), append(h.byKey, map[string][]Record{})
		}
		of := h.byKey[r.Partition][r.Key]
		if before, twice := h.numbers[r.name()]; twice {
			fail(Repeated, "%v is stored after %v", r, before)
		} else if last := len(of) - 1; last >= 0 && r.Number < of[last].Number {
			fail(OutOfOrder, "%v is stored after %v", r, of[last])
		}
		h.all[r.Partition] = append(h.all[r.Partition], r)
		h.byKey[r.Partition][r.Key] = append(of, r)
		h.numbers[r.name()] = r
	}
	for _, r := range acknowledged {
		if at, ok := h.at(r.Partition, r.Sequence); !ok || at != r {
			text := "nothing there"
			if ok {
				text = fmt.Sprintf("%v there", at)
			}
			fail(Missing, "%v was acknowledged, and there is %s", r, text)
		}
	}
	return h, found
}

// Len is the number of records.
func (h *History) Len() int {
	n := 0
	for _, of := range h.all {
		n += len(of)
	}
	return n
}

// Keys are the keys that have records, sorted.
func (h *History) Keys() []string {
	keys := map[string]bool{}
	for _, partition := range h.byKey {
		for key := range partition {
			keys[key] = true
		}
	}
	return slices.Sorted(maps.Keys(keys))
}

// Last returns the last record of a key in a partition, or, if the key is
// empty, of all keys, and false if there is none.
func (h *History) Last(partition int, key string) (Record, bool) {
	of := h.of(partition, key)
	if len(of) == 0 {
		return Record{}, false
	}
	return of[len(of)-1], true
}

// of returns the records of a key in a partition, or all if the key is empty.
func (h *History) of(partition int, key string) []Record {
	switch {
	case partition < 0 || partition >= len(h.all):
		return nil
	case key == "":
		return h.all[partition]
	default:
		return h.byKey[partition][key]
	}
}

// at returns the record at a place.
func (h *History) at(partition int, sequence uint64) (Record, bool) {
	of := h.of(partition, "")
	i, ok := slices.BinarySearchFunc(of, sequence, bySequence)
	if !ok {
		return Record{}, false
	}
	return of[i], true
}

// find returns the record with the key and number of r, with its place.
func (h *History) find(r Record) (Record, bool) {
	r, ok := h.numbers[r.name()]
	return r, ok
}

// between returns the records of a key after one sequence of a partition and
// before another.
func (h *History) between(partition int, key string, after, before uint64) []Record {
	of := h.of(partition, key)
	from, _ := slices.BinarySearchFunc(of, after+1, bySequence)
	to, _ := slices.BinarySearchFunc(of, before, bySequence)
	return of[from:max(from, to)]
}

func bySequence(r Record, sequence uint64) int { return cmp.Compare(r.Sequence, sequence) }

func byPlace(a, b Record) int {
	return cmp.Or(cmp.Compare(a.Partition, b.Partition), cmp.Compare(a.Sequence, b.Sequence))
}
