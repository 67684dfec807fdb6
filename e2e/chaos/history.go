package chaos

import (
	"cmp"
	"fmt"
	"slices"
)

// A History is what a stream holds. Make one with [NewHistory].
type History struct {
	all   []Record // by sequence
	byKey map[string][]Record
}

// NewHistory returns the history of a stream that holds these records, and
// how the broker has failed its producers: with a record that it acknowledged
// and doesn't hold, or holds in another place, and with records of a key that
// are there twice or not in order. Such violations are none of a client's.
func NewHistory(stored, acknowledged []Record) (*History, []Violation) {
	h := &History{all: slices.Clone(stored), byKey: map[string][]Record{}}
	slices.SortStableFunc(h.all, func(a, b Record) int { return cmp.Compare(a.Sequence, b.Sequence) })
	var found []Violation
	fail := func(kind Kind, format string, args ...any) {
		found = append(found, Violation{Client: "the stream", Kind: kind, Entry: -1, Text: fmt.Sprintf(format, args...)})
	}
	for i, r := range h.all {
		if i > 0 && h.all[i-1].Sequence == r.Sequence {
			fail(Repeated, "%v and %v are in one place", h.all[i-1], r)
		}
		of := h.byKey[r.Key]
		if last := len(of) - 1; last >= 0 && r.Number <= of[last].Number {
			kind := OutOfOrder
			if slices.ContainsFunc(of, r.same) {
				kind = Repeated
			}
			fail(kind, "%v is stored after %v", r, of[last])
		}
		h.byKey[r.Key] = append(of, r)
	}
	for _, r := range acknowledged {
		if at, ok := h.at(r.Sequence); !ok || at != r {
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
func (h *History) Len() int { return len(h.all) }

// Keys are the keys that have records, sorted.
func (h *History) Keys() []string {
	keys := make([]string, 0, len(h.byKey))
	for key := range h.byKey {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// Last returns the last record of a key, or, if it is empty, of all, and
// false if there is none.
func (h *History) Last(key string) (Record, bool) {
	of := h.of(key)
	if len(of) == 0 {
		return Record{}, false
	}
	return of[len(of)-1], true
}

// of returns the records of a key, or all if it is empty.
func (h *History) of(key string) []Record {
	if key == "" {
		return h.all
	}
	return h.byKey[key]
}

// at returns the record at a sequence.
func (h *History) at(sequence uint64) (Record, bool) {
	i, ok := slices.BinarySearchFunc(h.all, sequence, bySequence)
	if !ok {
		return Record{}, false
	}
	return h.all[i], true
}

// find returns the record with the key and number of r, with its sequence.
func (h *History) find(r Record) (Record, bool) {
	of := h.byKey[r.Key]
	i, ok := slices.BinarySearchFunc(of, r.Number, func(r Record, number int) int { return cmp.Compare(r.Number, number) })
	if !ok {
		return Record{}, false
	}
	return of[i], true
}

// between returns the records of a key after one sequence and before another.
func (h *History) between(key string, after, before uint64) []Record {
	of := h.of(key)
	from, _ := slices.BinarySearchFunc(of, after+1, bySequence)
	to, _ := slices.BinarySearchFunc(of, before, bySequence)
	return of[from:max(from, to)]
}

func bySequence(r Record, sequence uint64) int { return cmp.Compare(r.Sequence, sequence) }
