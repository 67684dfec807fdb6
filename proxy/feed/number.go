package feed

import (
	"cmp"
	"crypto/rand"
	"strconv"
	"strings"
)

// epoch is what the ids of events without a position begin with. It is random,
// so that an id that another log gave is not taken for one's own.
type epoch string

func newEpoch() epoch {
	return epoch(strings.ToLower(rand.Text()[:8])) // base32: 40 bits
}

// id returns the id of the n-th event.
func (e epoch) id(n uint64) string {
	var b [32]byte
	id := append(append(b[:0], e...), '-')
	return string(strconv.AppendUint(id, n, 10))
}

// number returns n, from 1, if id is what e.id(n) returns.
func (e epoch) number(id string) (n uint64, ok bool) {
	if len(id) < len(e)+2 || id[:len(e)] != string(e) || id[len(e)] != '-' || id[len(e)+1] == '0' {
		return 0, false
	}
	n, err := strconv.ParseUint(id[len(e)+1:], 10, 64)
	return n, err == nil
}

// compare is an [Options].Compare for the epoch's own ids.
func (e epoch) compare(a, b string) (order int, ok bool) {
	m, isNumber := e.number(a)
	n, areNumbers := e.number(b)
	return cmp.Compare(m, n), isNumber && areNumbers
}
