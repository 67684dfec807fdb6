package historychaos

import (
	"cmp"
	"fmt"
	"slices"

	"sidestream/e2e/chaos"
)

// Union returns the records that clients have had, each with its place, and
// where they have had different ones at one place.
func Union(clients []chaos.Client) (records []chaos.Record, found []chaos.Violation) {
	type seen struct {
		record chaos.Record
		by     string
	}
	at := map[uint64]seen{}
	for _, c := range clients {
		for i, e := range c.Log {
			event, ok := e.(chaos.Event)
			if !ok || event.Err != nil {
				continue // the check of the client's log says so
			}
			sequence, _, err := chaos.Sequence(event.ID)
			if err != nil {
				continue // as well
			}
			r := chaos.Record{Key: event.Record.Key, Number: event.Record.Number, Sequence: sequence}
			switch before, had := at[sequence]; {
			case !had:
				at[sequence] = seen{r, c.Name}
				records = append(records, r)
			case before.record != r:
				found = append(found, chaos.Violation{
					Client: c.Name, Kind: chaos.WrongID, Entry: i,
					Text: fmt.Sprintf("%s came with %v, and to %s with %v", event.ID, r, before.by, before.record),
				})
			}
		}
	}
	slices.SortFunc(records, func(a, b chaos.Record) int { return cmp.Compare(a.Sequence, b.Sequence) })
	return records, found
}

// Accepted returns the webhooks that were accepted at the places where they
// are stored; one that isn't has none.
func Accepted(accepted, stored []chaos.Record) []chaos.Record {
	type name struct {
		key    string
		number int
	}
	at := make(map[name]uint64, len(stored))
	for _, r := range slices.Backward(stored) { // the first, if there are several
		at[name{r.Key, r.Number}] = r.Sequence
	}
	placed := slices.Clone(accepted)
	for i := range placed {
		placed[i].Sequence = at[name{placed[i].Key, placed[i].Number}]
	}
	return placed
}
