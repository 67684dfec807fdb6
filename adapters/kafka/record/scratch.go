package record

import "sync"

// A scratch is a buffer to decompress into while the size is unknown. Its
// memory is kept for the next user, and what it holds in the end copied.
type scratch struct {
	data  []byte // as far as it is filled
	bound int    // on its capacity
	own   *[]byte
}

const (
	scratchMin = 64 << 10
	// scratchKept bounds the memory that is kept for the next user. A larger
	// one is handed out itself if most of it is filled.
	scratchKept = 4 << 20
	// scratchGrowth is by how much a scratch grows. While it is copied there
	// are two, so a growth of 4 makes that a quarter more than its bound.
	scratchGrowth = 4
)

// scratches holds the memory of those not in use, and nothing that lasts:
// the garbage collector empties it.
var scratches = sync.Pool{New: func() any {
	b := make([]byte, 0, scratchMin)
	return &b
}}

func newScratch(bound int) scratch {
	own := scratches.Get().(*[]byte)
	return scratch{data: (*own)[:0:min(cap(*own), bound)], bound: bound, own: own}
}

// free returns what is left of the capacity.
func (s *scratch) free() []byte { return s.data[len(s.data):cap(s.data)] }

// grow makes the capacity larger, by copying, and returns false if it has
// reached its bound.
func (s *scratch) grow() bool {
	if cap(s.data) >= s.bound {
		return false
	}
	s.reserve(min(s.bound, max(scratchMin, cap(s.data))*scratchGrowth))
	return true
}

// reserve makes the capacity at least n, which is at most its bound.
func (s *scratch) reserve(n int) {
	if cap(s.data) >= n {
		return
	}
	grown := make([]byte, len(s.data), n)
	copy(grown, s.data)
	s.data = grown
	if n <= scratchKept {
		*s.own = grown
	}
}

// take returns what the scratch holds, of exactly its size, and gives up the
// scratch.
func (s *scratch) take() []byte {
	defer s.drop()
	if n := len(s.data); cap(s.data) > scratchKept && n >= cap(s.data)/2 {
		return s.data[:n:n]
	}
	return append(make([]byte, 0, len(s.data)), s.data...)
}

// drop gives up the scratch.
func (s *scratch) drop() {
	scratches.Put(s.own)
	s.data, s.own = nil, nil
}
