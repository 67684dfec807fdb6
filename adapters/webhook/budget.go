package webhook

import "sync"

// A budget bounds the memory that all requests of a route hold.
type budget struct {
	limit int64

	mu   sync.Mutex
	used int64 // guarded by mu; by all holds
}

// hold returns what one request holds: nothing yet.
func (b *budget) hold() *hold { return &hold{budget: b} }

// A hold is what one request holds. It belongs to that request.
type hold struct {
	budget *budget
	size   int64
}

// grow adds n bytes to what is held. It reports false, and adds nothing, if
// there is no room for them. There always is for the only one that holds
// anything, so that something goes on.
func (h *hold) grow(n int64) bool {
	b := h.budget
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.used > h.size && b.used+n > b.limit {
		return false
	}
	b.used += n
	h.size += n
	return true
}

// release gives back all that is held.
func (h *hold) release() {
	h.budget.mu.Lock()
	defer h.budget.mu.Unlock()
	h.budget.used -= h.size
	h.size = 0
}
