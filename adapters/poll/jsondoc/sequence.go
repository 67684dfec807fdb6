package jsondoc

import (
	"bytes"
	"hash/maphash"
	"slices"
)

// A table numbers texts, from 0 on in the order in which they come.
type table struct {
	seed   maphash.Seed
	byHash map[uint64]int
	texts  [][]byte
}

func (d *Differ) newTable(size int) *table {
	return &table{seed: d.seed, byHash: make(map[uint64]int, size)}
}

// number returns the number of a text. Equal texts have the same one; should
// two texts ever have the same hash, the second has a number of its own each
// time, which makes a patch longer but not wrong.
func (t *table) number(text []byte) int {
	hash := maphash.Bytes(t.seed, text)
	n, ok := t.byHash[hash]
	if ok && bytes.Equal(t.texts[n], text) {
		return n
	}
	n = len(t.texts)
	t.texts = append(t.texts, text)
	if !ok {
		t.byHash[hash] = n
	}
	return n
}

// A pair is an element of from and an equal one of to, by index.
type pair struct{ from, to int }

// common returns a longest common subsequence of a span, or nothing if finding
// it would exceed the bound.
func (p *patcher) common(from, to []uint32) []pair {
	if len(from) == 0 || len(to) == 0 || len(from)+len(to) == 2 {
		return nil // the ends of a span are not equal
	}
	t := p.differ.newTable(len(from) + len(to))
	a, b := make([]int, len(from)), make([]int, len(to))
	for i, n := range from {
		a[i] = t.number(p.from.value(n))
	}
	inBoth := make([]bool, len(from)+len(to))
	fromOnly := len(t.texts)
	for j, n := range to {
		b[j] = t.number(p.to.value(n))
		inBoth[b[j]] = b[j] < fromOnly
	}
	// What occurs in one of them only can't be common. Without it there is
	// nothing left to search in most arrays of records, some of which changed.
	a, whereA := only(inBoth, a)
	b, whereB := only(inBoth, b)
	pairs := subsequence(a, b, &p.cells)
	for k, q := range pairs {
		pairs[k] = pair{whereA[q.from], whereB[q.to]}
	}
	return pairs
}

// only returns the numbers that are wanted, and at which indices they were.
func only(wanted []bool, numbers []int) (left, where []int) {
	for i, n := range numbers {
		if wanted[n] {
			left, where = append(left, n), append(where, i)
		}
	}
	return left, where
}

// subsequence returns a longest common subsequence, by the greedy algorithm
// of E. W. Myers, "An O(ND) Difference Algorithm and Its Variations",
// Algorithmica 1 (1986). It returns nil if that takes more steps than cells
// and one for each element, and takes the steps off cells.
//
// Row d has, for each diagonal k = -d, -d+2, … d, how far into a one gets along
// it with d insertions and deletions; diagonal k is at index (k+d)/2.
func subsequence(a, b []int, cells *int) []pair {
	left := *cells + len(a) + len(b) + 1
	defer func() { *cells = max(0, min(*cells, left)) }()
	var rows [][]int32
	for d := range len(a) + len(b) + 1 {
		if left -= d + 1; left < 0 {
			return nil
		}
		row := make([]int32, d+1)
		for j := range row {
			x := 0
			if d > 0 {
				x, _ = before(rows[d-1], j)
			}
			y := x - (2*j - d)
			for ; x < len(a) && y < len(b) && a[x] == b[y]; x, y = x+1, y+1 {
				left--
			}
			row[j] = int32(x)
			if x >= len(a) && y >= len(b) {
				return trace(rows, len(a), len(b), d)
			}
			if left < 0 {
				return nil
			}
		}
		rows = append(rows, row)
	}
	return nil // not reached: that many insertions and deletions do for any two
}

// before returns how far into a one gets by one more insertion or deletion
// after the given row, on the diagonal with index j in the next row, and
// whether it is an insertion.
func before(row []int32, j int) (x int, insertion bool) {
	if j == len(row) {
		return int(row[j-1]) + 1, false
	}
	if j == 0 || row[j-1] < row[j] {
		return int(row[j]), true
	}
	return int(row[j-1]) + 1, false
}

// trace goes back through d rows from the ends x and y.
func trace(rows [][]int32, x, y, d int) []pair {
	var pairs []pair
	for ; d >= 0; d-- {
		start, insertion := 0, false
		if d > 0 {
			start, insertion = before(rows[d-1], (x-y+d)/2)
		}
		for x > start {
			x, y = x-1, y-1
			pairs = append(pairs, pair{x, y})
		}
		if insertion {
			y--
		} else {
			x--
		}
	}
	slices.Reverse(pairs)
	return pairs
}

// increasing returns which values, all of them from 0 to n-1 and different,
// make up a longest increasing subsequence. Negative values are left out.
func increasing(values []int, n int) []bool {
	// ends[k] is the smallest value that ends a subsequence of length k+1,
	// and previous[v] the one before v in the subsequence that it ends.
	var ends []int
	previous := make([]int, n)
	for _, v := range values {
		if v < 0 {
			continue
		}
		k, _ := slices.BinarySearch(ends, v)
		if previous[v] = -1; k > 0 {
			previous[v] = ends[k-1]
		}
		if k == len(ends) {
			ends = append(ends, v)
		} else {
			ends[k] = v
		}
	}
	in := make([]bool, n)
	if len(ends) > 0 {
		for v := ends[len(ends)-1]; v >= 0; v = previous[v] {
			in[v] = true
		}
	}
	return in
}

// counts are numbers at places 0 to n-1 that are summed from the front, in
// logarithmic time: a tree of P. M. Fenwick, "A New Data Structure for
// Cumulative Frequency Tables", Software: Practice and Experience 24 (1994).
type counts []int

func newCounts(n int) counts { return make(counts, n+1) }

func (c counts) add(place, delta int) {
	for i := place + 1; i < len(c); i += i & -i {
		c[i] += delta
	}
}

// sum returns the sum up to and with a place.
func (c counts) sum(place int) int {
	total := 0
	for i := place + 1; i > 0; i -= i & -i {
		total += c[i]
	}
	return total
}
