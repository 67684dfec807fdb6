package historychaos

import (
	"fmt"
	"maps"
	"slices"

	"sidestream/e2e/chaos"
)

// Announced returns where records that were published, with numbers from 1 in
// the order in which they were, are missing in a client's log between two of
// their key, or in the end, without a gap there. The client has to come back
// with the newest id that it has.
func Announced(c chaos.Client, published []chaos.Record) (found []chaos.Violation) {
	numbers := map[string][]int{}
	for _, r := range published {
		numbers[r.Key] = append(numbers[r.Key], r.Number)
	}
	for _, of := range numbers {
		slices.Sort(of)
	}
	type had struct{ number, gaps int } // of gaps that came before
	newest := map[string]had{}
	gaps := 0
	check := func(entry int, key string, before int) {
		last, ok := newest[key]
		if !ok || last.gaps != gaps {
			return // it begins here, or was told
		}
		of := numbers[key]
		from, _ := slices.BinarySearch(of, last.number+1)
		to, _ := slices.BinarySearch(of, before)
		if from < to {
			found = append(found, chaos.Violation{
				Client: c.Name, Kind: Unannounced, Entry: entry,
				Text: fmt.Sprintf("%s: %d missing from number %d to %d, and no gap since number %d", key, to-from, of[from], of[to-1], last.number),
			})
		}
	}
	for i, e := range c.Log {
		switch e := e.(type) {
		case chaos.Gap:
			gaps++
		case chaos.Event:
			if e.Err != nil {
				continue // which is another violation
			}
			check(i, e.Record.Key, e.Record.Number)
			newest[e.Record.Key] = had{e.Record.Number, gaps}
		}
	}
	for _, key := range slices.Sorted(maps.Keys(newest)) {
		of := numbers[key]
		if len(of) > 0 {
			check(len(c.Log), key, of[len(of)-1]+1)
		}
	}
	return found
}
