package poll

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"slices"

	"sidestream/adapters"
)

// A listSource polls for a list to which items are added, and delivers each
// of them once. Several Runs of it, at different places of the list, share
// what was answered and what positions items were given, so that they meet.
type listSource struct {
	*poller

	// turn holds the token of the Run that looks at the list. It alone may
	// use what follows.
	turn   chan struct{}
	memory memory
	recent look
	front  string // the cursor that regular polls have come to
	stale  bool   // the last request has failed: recent says nothing of now
}

// A look is what a list was like, from a cursor on.
type look struct {
	n     uint64 // counts answers; 0: there was none
	asked string // the cursor that was asked for
	next  string // the cursor behind the items
	more  bool   // and there is more there
	cut   bool   // pages were left out that the run which asked had no need of
	ahead bool   // it shows what comes after all that was seen before
	items []listed
	first answer

	validators validators // of the answer, if they hold for all of it
}

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

func newListSource(p *poller) *listSource {
	return &listSource{poller: p, turn: make(chan struct{}, 1), memory: newMemory(p.options.Items.Remember)}
}

// origin is the place before everything.
func (s *listSource) origin() place { return place{cursor: s.target.cursor, all: true} }

// Run implements [adapters.Source].
func (s *listSource) Run(ctx context.Context, after adapters.Position, emit func(adapters.Event) error) error {
	r := &listRun{listSource: s, id: after, at: s.origin()}
	if after != "" {
		at, ok := parsePlace(after)
		if !ok {
			return s.lost(adapters.LostUnknown)
		}
		r.at, r.begun = at, true
	}
	for {
		events, live, err := r.step(ctx)
		switch {
		case err != nil && ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, errGone) && r.at.cursor != s.target.cursor:
			return s.lost(adapters.LostExpired) // it is the cursor that is gone
		case errors.Is(err, errGone):
			return nil
		case errors.Is(err, adapters.ErrPositionLost):
			return err
		case err != nil:
			return s.failed(err)
		}
		for i := range events {
			if err := emit(events[i]); err != nil {
				return err
			}
		}
		if live {
			if err := emit(adapters.Event{Live: true, Position: r.id}); err != nil {
				return err
			}
		}
	}
}

// lost says that there is no going on from a position, other than from the
// oldest item at hand.
func (s *listSource) lost(why adapters.LostReason) error {
	return &adapters.PositionLostError{Reason: why, Resume: s.origin().position(), Lost: -1}
}

// A listRun is one Run of a listSource.
type listRun struct {
	*listSource
	at    place
	id    adapters.Position // of the last event, or where the run began
	begun bool
	seen  uint64 // the answer that it looked at last; 0: none
	hurry bool   // there is more where it is
	fed   bool   // it found news when it looked last
}

// step looks at the list once. It returns the events that follow, and
// whether they are all there is.
func (r *listRun) step(ctx context.Context) (events []adapters.Event, live bool, err error) {
	if err := r.lock(ctx); err != nil {
		return nil, false, err
	}
	defer func() { <-r.turn }()

	found := &r.recent
	news, ok := r.memory.news(r.at, found.items)
	if !ok {
		return nil, false, r.lost(adapters.LostExpired)
	}
	silent := r.silent()
	incremental := r.code.cursor != nil
	older := r.memory.older(r.at, news, found.ahead)
	for i := range news {
		it := &news[i]
		at := place{cursor: r.at.cursor, mark: it.mark}
		if incremental && i == len(news)-1 {
			at = place{cursor: found.next, mark: it.mark, all: true}
		}
		pos := at.position()
		if silent && i < len(news)-1 {
			pos = "" // who delivers it may know a better one
		}
		if r.id = r.memory.recall(it.mark, pos); i >= older {
			r.memory.add(it.mark, r.id)
		}
		if !silent {
			e := adapters.Event{Position: r.id, Type: it.typ, Data: bytes.Clone(it.data)}
			r.annotate(&e, &found.first)
			events = append(events, e)
		}
	}
	switch {
	case incremental:
		r.at.cursor, r.at.all = found.next, true
	case len(news) > 0:
		r.at.all = false
	}
	if len(news) > 0 {
		r.at.mark = r.memory.newest(news)
	}
	r.fed = len(news) > 0
	r.hurry = found.more && incremental && r.options.Items.Order == oldestFirst
	r.begun = r.begun || !r.hurry
	if r.id == "" {
		r.id = r.at.position()
	}
	r.learned(len(news) > 0)
	return events, !r.hurry && !r.stale, nil
}

// silent reports whether the run has yet to see where the list ends, without
// delivering what is there.
func (r *listRun) silent() bool { return !r.begun && r.options.Items.Start == startLive }

// lock returns with the turn, and with an answer in recent that the run has
// not looked at: one that another run was given, or one to a poll of its own,
// when that is due. A run that is behind doesn't wait for that.
func (r *listRun) lock(ctx context.Context) error {
	for {
		select {
		case r.turn <- struct{}{}:
		case <-ctx.Done():
			return ctx.Err()
		}
		err := r.renew(ctx)
		if err == nil {
			r.seen = r.recent.n
			return nil
		}
		<-r.turn
		if !errors.Is(err, errNotDue) {
			return err
		}
		if err := r.wait(ctx); err != nil {
			return err
		}
	}
}

// errNotDue says that a run has to wait for its next look.
var errNotDue = errors.New("not due yet")

// renew sees to it that recent is of use to the run, which has the turn.
func (r *listRun) renew(ctx context.Context) error {
	due := r.isDue()
	shared := r.recent.n > 0 && r.recent.asked == r.at.cursor && (r.silent() || r.recent.reaches(r.at))
	switch {
	case shared && r.recent.n > r.seen && (!due || r.seen > 0):
		return nil
	case due:
	case r.hurry, r.seen == 0, r.behind():
		// It is not at the others' place yet.
	default:
		return errNotDue
	}
	cut := false
	q := question{cursor: r.at.cursor, extra: !due || r.behind()}
	q.enough = func(ctx context.Context, found *finding) (_ bool, err error) {
		cut, err = r.enough(ctx, found)
		return cut, err
	}
	if shared {
		q.have = r.recent.validators
	}
	found, err := r.ask(ctx, q)
	if err != nil {
		r.stale = r.stale || ctx.Err() == nil
		return r.refused(ctx, err)
	}
	r.stale = false
	ahead := !q.extra || r.at.cursor == r.front
	if ahead {
		r.front = found.cursor
	}
	if found.same && shared {
		r.recent.n++
		r.recent.first = found.first
		return nil
	}
	var items []item
	if !found.same {
		if items, err = r.items(ctx, &found); err != nil {
			r.stale = true
			r.count(outcome(found.first.status, err))
			return err
		}
	}
	r.recent = look{
		n: r.recent.n + 1, asked: r.at.cursor, next: found.cursor, more: found.more, cut: cut, ahead: ahead, first: found.first,
		items: make([]listed, len(items)), validators: found.validators,
	}
	for i, it := range items {
		r.recent.items[i] = listed{it, markOf(it.key)}
	}
	if r.options.Items.Order == newestFirst {
		slices.Reverse(r.recent.items)
	}
	return nil
}

// behind reports whether a run is at a cursor that the others have left, and
// may have more to find there. It neither waits for their polls to be due nor
// puts them off.
func (r *listRun) behind() bool {
	return r.recent.n > 0 && r.at.cursor != r.front && (r.seen == 0 || r.fed)
}

// refused returns what to make of a failure to get an answer. A cursor that
// an API doesn't take any more looks to it like a request that is wrong; it
// is the cursor if the API answers without it.
func (r *listRun) refused(ctx context.Context, err error) error {
	var status statusError
	wrong := errors.As(err, &status) && slices.Contains(
		[]int{http.StatusBadRequest, http.StatusNotFound, http.StatusUnprocessableEntity}, int(status))
	if !wrong || r.at.cursor == r.target.cursor {
		return err
	}
	first := func(context.Context, *finding) (bool, error) { return true, nil }
	if _, failed := r.ask(ctx, question{cursor: r.target.cursor, extra: true, enough: first}); failed != nil {
		return err
	}
	return r.lost(adapters.LostExpired)
}

// enough reports whether a page of a list that begins with the newest item
// reaches back to where the run is.
func (r *listRun) enough(ctx context.Context, found *finding) (bool, error) {
	if r.options.Items.Order != newestFirst {
		return false, nil
	}
	if r.silent() {
		return true, nil
	}
	items, err := r.items(ctx, found)
	return slices.ContainsFunc(items, func(it item) bool { return markOf(it.key) == r.at.mark }), err
}
