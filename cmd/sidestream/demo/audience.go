package demo

import "time"

const (
	maxViewers  = 1000
	maxViewerID = 64 // bytes

	// lease is how long a page counts that doesn't say again that it is
	// open. Pages do so every 30 seconds.
	lease = 2 * time.Minute
)

// audience are the pages that are open, by an id that each makes up for
// itself, and until when they count.
type audience map[string]time.Time

// enter counts a page, and reports whether it is a new one. There is a bound
// on how many are counted.
func (a audience) enter(id string, now time.Time) bool {
	_, known := a[id]
	if !known && (len(a) >= maxViewers || len(id) > maxViewerID) {
		return false
	}
	a[id] = now.Add(lease)
	return !known
}

// leave reports whether there was such a page.
func (a audience) leave(id string) bool {
	_, known := a[id]
	delete(a, id)
	return known
}

// prune forgets pages that were closed without a word.
func (a audience) prune(now time.Time) {
	for id, until := range a {
		if now.After(until) {
			delete(a, id)
		}
	}
}
