package adaptertest

import (
	"fmt"
	"maps"
)

// A set is some numbers.
type set map[int]bool

// setOf returns the numbers from first to last.
func setOf(first, last int) set {
	s := make(set)
	for i := first; i <= last; i++ {
		s[i] = true
	}
	return s
}

// within reports whether all of s are in other.
func (s set) within(other set) bool {
	for i := range s {
		if !other[i] {
			return false
		}
	}
	return true
}

// without returns those of s that are not in other.
func (s set) without(other set) set {
	rest := maps.Clone(s)
	maps.DeleteFunc(rest, func(i int, _ bool) bool { return other[i] })
	return rest
}

// replaces reports whether another of s has replaced i, given their keys.
func (s set) replaces(i int, key func(int) string) bool {
	for n := range s {
		if n > i && key(n) == key(i) {
			return true
		}
	}
	return false
}

// between tells what lies between two places that have the numbers up to i
// and up to j.
func between(i, j int) string { return fmt.Sprintf("between %d and %d", i, j) }
