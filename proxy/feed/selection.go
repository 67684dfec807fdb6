package feed

// A selection is how far what a source begins with is only some of what it
// has; see [Options.Selects]. The zero value is nothing of the kind.
type selection struct {
	begun bool   // and not over
	upTo  string // the id that it ended with
}

// begin notes that the source begins with a selection.
func (s *selection) begin() { *s = selection{begun: true} }

// end notes that it is over, at the place id.
func (s *selection) end(id string) {
	if s.begun {
		*s = selection{upTo: id}
	}
}

// hides reports whether who has id may lack what was left out.
func (s *selection) hides(id string, compare func(a, b string) (order int, ok bool)) bool {
	if s.begun || s.upTo == "" || compare == nil {
		return s.begun
	}
	order, ok := compare(id, s.upTo)
	return !ok || order < 0
}

// hides reports whether who has id may lack what a selection has left out.
func (l *Log) hides(id string) bool {
	if l.whole != nil {
		return l.whole.hides(id)
	}
	return l.selected.hides(id, l.o.Compare)
}

// hides is that of all logs.
func (w *whole) hides(id string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.selected.hides(id, w.compare)
}

// begin notes that the source begins with a selection.
func (w *whole) begin() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.selected.begin()
}
