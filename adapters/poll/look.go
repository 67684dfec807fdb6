package poll

import (
	"context"
	"slices"
)

// A look is what a list was like, from a cursor on.
type look struct {
	n     uint64 // counts answers; 0: there was none
	asked string // the cursor that was asked for
	next  string // the cursor behind the items
	more  bool   // and there is more there
	cut   bool   // pages were left out that the run which asked had no need of
	same  bool   // it is what was answered before
	items []listed
	order order // of the items, next to those that are remembered
	first answer

	validators validators // of the answer, if they hold for all of it
}

// An order tells which items of an answer come after those that are
// remembered. Only these may be remembered in turn.
type order int

const (
	unrelated   order = iota // there is no telling
	overlapping              // what follows the newest that is remembered, which is among them
	contiguous               // all that aren't remembered
)

// reaches reports whether what was answered goes back to place at, so that
// nothing that follows it is missing.
func (l *look) reaches(at place) bool {
	return !l.cut || slices.ContainsFunc(l.items, func(it listed) bool { return it.mark == at.mark })
}

// listed is an item with what it is known by.
type listed struct {
	item
	mark mark
}

// ask asks for the list. same says that the newest answer is one to the same
// question.
func (r *listRun) ask(ctx context.Context, p *poller, q question, same bool) (look, error) {
	found, err := p.ask(ctx, q)
	if err != nil {
		return look{}, r.refused(ctx, p, err)
	}
	l := look{asked: q.cursor, next: found.cursor, more: found.more, first: found.first, validators: found.validators}
	l.same = found.same && same
	if !found.same {
		if l.items, err = r.list(ctx, &found); err != nil {
			p.settle(q, &found, false, err)
			return look{}, err
		}
	}
	r.known.Lock()
	news := r.memory.grows(l.items)
	r.known.Unlock()
	p.settle(q, &found, news, nil)
	return l, nil
}

// learn makes l the newest answer. The caller holds known.
func (r *listRun) learn(l look, shared bool) {
	n := r.recent.n + 1
	if l.same && shared {
		first := l.first
		l = r.recent
		l.first = first
	} else if l.order = r.order(&l); l.order != unrelated {
		r.front = l.next
		r.memory.extend(l.items)
	}
	r.stale, l.n = false, n
	r.recent = l
	r.change()
}

// order tells how an answer stands to what is remembered. Where there is no
// telling a prime run, or one without any, begins the memory anew. Others
// don't: what clients come back to doesn't decide what is old. The caller holds
// known.
func (r *listRun) order(l *look) order {
	switch {
	case l.asked == r.front:
		return contiguous
	case r.memory.endsIn(l.items):
		return overlapping
	case (r.prime || r.primes == 0) && len(l.items) > 0:
		r.memory = newMemory(r.options.Items.Remember)
		return contiguous
	}
	return unrelated
}

// list returns the items of a document, the oldest first and each once.
func (s *listSource) list(ctx context.Context, found *finding) ([]listed, error) {
	items, err := s.items(ctx, found)
	if err != nil {
		return nil, err
	}
	if s.options.Items.Order == newestFirst {
		slices.Reverse(items)
	}
	list := make([]listed, 0, len(items))
	twice := make(map[mark]bool, len(items))
	for _, it := range items {
		// An item that moves to the next page between two requests is on both.
		if m := markOf(it.key); !twice[m] {
			twice[m] = true
			list = append(list, listed{it, m})
		}
	}
	return list, nil
}
