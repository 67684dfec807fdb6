package record

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
)

// Aborted is a transaction that was aborted, as a Fetch response tells it. It
// may have begun before the response does, and a producer may have several.
type Aborted struct{ ProducerID, FirstOffset int64 }

// transactions knows whose records are of aborted transactions, at the place
// that the reader is at. The response says only where each one began: it ends
// with its marker, so that every control batch has to be looked at.
//
// The rule is that of CompletedFetch in Kafka's consumer.
type transactions struct {
	coming  []Aborted // sorted by FirstOffset
	aborted map[int64]struct{}
}

func newTransactions(list []Aborted) transactions {
	sorted := slices.Clone(list)
	slices.SortFunc(sorted, func(a, b Aborted) int {
		switch {
		case a.FirstOffset < b.FirstOffset:
			return -1
		case a.FirstOffset > b.FirstOffset:
			return 1
		}
		return 0
	})
	return transactions{coming: sorted}
}

// reach takes in the transactions that began no later than the offset last.
func (t *transactions) reach(last int64) {
	for len(t.coming) > 0 && t.coming[0].FirstOffset <= last {
		if t.aborted == nil {
			t.aborted = make(map[int64]struct{}, len(t.coming))
		}
		t.aborted[t.coming[0].ProducerID] = struct{}{}
		t.coming = t.coming[1:]
	}
}

// has reports whether producer's transaction is an aborted one.
func (t *transactions) has(producer int64) bool {
	if len(t.aborted) == 0 {
		return false
	}
	_, ok := t.aborted[producer]
	return ok
}

// end takes note of the marker in a control batch of producer, whose first
// record has this key.
func (t *transactions) end(producer int64, key []byte) error {
	if len(key) < 4 {
		return fmt.Errorf("the key of a control record has %d bytes, less than its version and type", len(key))
	}
	if int16(binary.BigEndian.Uint16(key)) < 0 {
		return errors.New("the key of a control record has a negative version")
	}
	if binary.BigEndian.Uint16(key[2:]) == abortMarker {
		delete(t.aborted, producer)
	}
	return nil
}

// abortMarker is the type of the control record that ends an aborted
// transaction.
const abortMarker = 0
