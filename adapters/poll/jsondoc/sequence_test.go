package jsondoc

import (
	"math/rand/v2"
	"slices"
	"testing"
)

func TestSubsequence(t *testing.T) {
	g := newGenerator(5)
	for range 3000 {
		a, b := make([]int, g.IntN(20)), make([]int, g.IntN(20))
		letters := 1 + g.IntN(8)
		for i := range a {
			a[i] = g.IntN(letters)
		}
		for i := range b {
			b[i] = g.IntN(letters)
		}
		pairs := subsequence(a, b, cells(defaultCells))
		last := pair{-1, -1}
		for _, p := range pairs {
			if p.from <= last.from || p.to <= last.to || a[p.from] != b[p.to] {
				t.Fatalf("%v and %v: got %v, want a common subsequence", a, b, pairs)
			}
			last = p
		}
		if want := longestCommon(a, b); len(pairs) != want {
			t.Fatalf("%v and %v: got %v, want %d of them", a, b, pairs, want)
		}
	}
}

// longestCommon is the textbook's way, by a table of all prefixes.
func longestCommon(a, b []int) int {
	row := make([]int, len(b)+1)
	for _, x := range a {
		diagonal := 0
		for j, y := range b {
			above := row[j+1]
			if row[j+1] = max(above, row[j]); x == y {
				row[j+1] = diagonal + 1
			}
			diagonal = above
		}
	}
	return row[len(b)]
}

func TestSubsequenceIsBounded(t *testing.T) {
	a := make([]int, 2000)
	for i := range a {
		a[i] = i
	}
	b := slices.Clone(a)
	slices.Reverse(b)
	if got := subsequence(a, b, cells(1000)); got != nil {
		t.Errorf("reversed, 1000 cells: got %d pairs, want none", len(got))
	}
	if got := subsequence(a, a, cells(1)); len(got) != len(a) {
		t.Errorf("equal, 1 cell: got %d pairs, want %d", len(got), len(a))
	}
}

func TestIncreasing(t *testing.T) {
	g := newGenerator(6)
	for range 2000 {
		n := g.IntN(12)
		values := g.Perm(n)
		for i := range values {
			if g.IntN(5) == 0 {
				values[i] = -1
			}
		}
		in := increasing(values, n)
		last, got := -1, 0
		for _, v := range values {
			if v >= 0 && in[v] {
				if got++; v < last {
					t.Fatalf("%v: got %v, want it increasing", values, in)
				}
				last = v
			}
		}
		sorted := slices.DeleteFunc(slices.Clone(values), func(v int) bool { return v < 0 })
		kept := slices.Clone(sorted)
		slices.Sort(sorted)
		if want := longestCommon(kept, sorted); got != want {
			t.Fatalf("%v: got %d, want %d", values, got, want)
		}
	}
}

func cells(n int) *int { return &n }

// TestCellsAreTheDocuments: many arrays have no more work done for them than
// one.
func TestCellsAreTheDocuments(t *testing.T) {
	left := 1000
	for i := range 100 {
		a, b := rand.Perm(200), rand.Perm(200)
		subsequence(a, b, &left)
		if left < 0 || i > 0 && left != 0 {
			t.Fatalf("array %d: got %d steps left, want none", i, left)
		}
	}
}
