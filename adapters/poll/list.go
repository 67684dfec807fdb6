package poll

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"slices"
	"sync"
	"time"

	"sidestream/adapters"
)

// A listSource polls for a list to which items are added, and delivers each
// of them once. Several Runs of it, at different places of the list, share
// what was answered and what positions items were given, so that they meet.
type listSource struct {
	*poller

	// turn holds the token of the Run that asks at the API's pace, which
	// alone may use the poller. What was answered is for all to see.
	//
	// Runs at other places ask apart from that, one at a time, so that the
	// regular polls don't wait for what clients ask for.
	turn  chan struct{}
	aside struct {
		*poller
		turn  chan struct{}
		spare time.Time // not before, for the next of them
	}

	known  sync.Mutex // guards what follows; never held while a request is under way
	memory memory
	recent look
	owner  *listRun          // the one whose polls are paced by what the API says; nil: the next one that asks
	primes int               // how many prime runs there are
	left   adapters.Position // where the newest prime run has left off; see listRun.prime
	front  string            // the cursor that its polls have come to
	stale  bool              // the last request has failed: recent says nothing of now

	changed chan struct{} // closed when there is an answer, or no owner any more
}

func newListSource(p *poller) *listSource {
	s := &listSource{
		poller:  p,
		turn:    make(chan struct{}, 1),
		changed: make(chan struct{}),
		memory:  newMemory(p.options.Items.Remember),
		front:   p.target.cursor,
	}
	s.aside.poller, s.aside.turn = p.another(), make(chan struct{}, 1)
	return s
}

// origin is the place before everything.
func (s *listSource) origin() place { return place{cursor: s.target.cursor, all: true} }

// Run implements [adapters.Source].
func (s *listSource) Run(ctx context.Context, after adapters.Position, emit func(adapters.Event) error) error {
	r := &listRun{listSource: s, id: after, at: s.origin(), prime: s.enter(after)}
	defer r.leave()
	if after != "" {
		at, ok := parsePlace(after)
		if !ok {
			return s.lost(adapters.LostUnknown)
		}
		r.at, r.begun = at, true
		r.known.Lock()
		if _, ok := r.memory.news(at, r.recent.items); !ok {
			r.seen = r.recent.n // an answer from before that place was there says nothing of it
		}
		r.known.Unlock()
	}
	for {
		events, live, err := r.step(ctx)
		r.disown() // whoever takes long to emit holds up nobody
		switch {
		case err != nil && ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, errGone) && r.at.cursor != s.target.cursor:
			return s.lost(adapters.LostExpired) // it is the cursor that is gone
		case errors.Is(err, errGone):
			return nil
		case errors.Is(err, adapters.ErrPositionLost):
			r.id = s.origin().position() // where it is to be gone on from
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
	prime bool              // it delivers for all, and has no place that a client has chosen
	id    adapters.Position // of the last event, or where the run began
	begun bool
	seen  uint64    // the answer that it looked at last; 0: none
	hurry bool      // there is more where it is
	fed   bool      // it found news when it looked last
	empty bool      // it found nothing at all when it looked last
	apart int       // how often it asked apart from the pace
	next  time.Time // not before, for its next look, if it doesn't own the pace
}

// step looks at the list once. It returns the events that follow, and
// whether they are all there is.
func (r *listRun) step(ctx context.Context) (events []adapters.Event, live bool, err error) {
	if err := r.await(ctx); err != nil {
		return nil, false, err
	}
	defer r.known.Unlock()

	found := &r.recent
	news, ok := r.memory.news(r.at, found.items)
	if !ok && r.empty { // all that is there has come since
		news, ok = r.memory.news(place{mark: r.at.mark, all: true}, found.items)
	}
	if !ok {
		return nil, false, r.lost(adapters.LostExpired)
	}
	r.empty = len(found.items) == 0
	if found.more && r.options.Items.Order == newestFirst && r.begun && r.at.cursor != r.target.cursor {
		return nil, false, r.lost(adapters.LostOverflow) // what lies between is on pages that weren't asked for
	}
	silent := r.silent()
	incremental := r.code.cursor != nil
	older := r.memory.older(r.at, news, found.order)
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
		if r.id = r.memory.recall(it.mark, pos); i >= older || r.memory.has(it.mark) {
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
	return events, !r.hurry && !r.stale, nil
}

// silent reports whether the run has yet to see where the list ends, without
// delivering what is there.
func (r *listRun) silent() bool { return !r.begun && r.options.Items.Start == startLive }

// await returns with what is known locked, and with an answer that the run has
// not looked at: one that another run was given, or one to a poll of its own,
// when that is due. A run that is behind doesn't wait for that.
func (r *listRun) await(ctx context.Context) error {
	for {
		r.known.Lock()
		if r.usable() {
			r.seen = r.recent.n
			return nil
		}
		others := !r.owns() && !r.hurry && (r.recent.n == 0 || r.shared() || r.at.cursor == r.front && r.recent.asked != r.front)
		changed := r.changed
		r.known.Unlock()
		if others { // ask what this run would ask
			select {
			case <-changed:
				continue
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		err := r.renew(ctx)
		var early *earlyError
		switch {
		case errors.Is(err, errNotDue):
			err = r.wait(ctx)
		case errors.As(err, &early):
			err = sleep(ctx, early.until)
		}
		if err != nil {
			return err
		}
	}
}

// usable reports whether the run has yet to look at the newest answer, and
// that is one to what it would ask itself. The caller holds known.
func (r *listRun) usable() bool { return r.recent.n > r.seen && r.shared() }

func (r *listRun) shared() bool {
	return r.recent.n > 0 && r.recent.asked == r.at.cursor && (r.silent() || r.recent.reaches(r.at))
}

// errNotDue says that a run has to wait for its next look.
var errNotDue = errors.New("not due yet")

// An earlyError says that a run which asks apart from the pace has to wait.
type earlyError struct{ until time.Time }

func (e *earlyError) Error() string { return errNotDue.Error() }

// Bounds of what Runs ask for apart from the pace, since how many of them
// there are, and where they begin, is for clients to say: so often in an
// interval of all together, and so often each.
const (
	apartInInterval = 20
	apartOfRun      = 20
)

// renew asks for the list, unless another run has done so meanwhile.
func (r *listRun) renew(ctx context.Context) error {
	r.known.Lock()
	owner := r.owns()
	r.known.Unlock()
	p, turn := r.aside.poller, r.aside.turn
	if owner {
		p, turn = r.poller, r.turn
	}
	if err := acquire(ctx, turn); err != nil {
		return err
	}
	defer func() { <-turn }()
	due := owner && p.isDue()
	r.known.Lock()
	usable, shared := r.usable(), r.shared()
	soon := r.hurry || r.behind()
	q := question{cursor: r.at.cursor, extra: !due}
	if shared {
		q.have = r.recent.validators
	}
	r.known.Unlock()
	switch {
	case usable:
		return nil
	case due:
	case owner && !soon:
		return errNotDue
	case owner:
	case !soon && time.Now().Before(r.next):
		return &earlyError{r.next}
	case time.Now().Before(r.aside.spare):
		return &earlyError{r.aside.spare}
	}
	if !owner {
		now, every := time.Now(), time.Duration(r.options.Every.Min)
		r.apart++
		r.aside.spare, r.next = now.Add(every/apartInInterval), now.Add(every)
		if planned := r.planned(); planned.After(r.next) {
			r.next = planned // the API has asked to wait
		}
	}
	cut := false
	q.enough = func(ctx context.Context, found *finding) (_ bool, err error) {
		cut, err = r.enough(ctx, found)
		return cut, err
	}
	l, err := r.ask(ctx, p, q, shared)
	r.known.Lock()
	defer r.known.Unlock()
	if err != nil {
		r.stale = r.stale || ctx.Err() == nil
		return err
	}
	l.cut = cut
	r.learn(l, shared)
	return nil
}

// behind reports whether a run is at a cursor that the others have left, and
// may have more to find there. It neither waits for their polls to be due nor
// puts them off.
func (r *listRun) behind() bool {
	return r.recent.n > 0 && r.at.cursor != r.front && r.apart < apartOfRun && (r.seen == 0 || r.fed)
}

// enter reports whether a Run from a position is a prime one, which delivers
// for all: the first, or the one that goes on where that has failed.
func (s *listSource) enter(after adapters.Position) (prime bool) {
	s.known.Lock()
	defer s.known.Unlock()
	if prime = after == "" || after == s.left; prime {
		s.primes++
	}
	return prime
}

// leave undoes enter, and notes where a prime run has left off.
func (r *listRun) leave() {
	r.disown()
	r.known.Lock()
	defer r.known.Unlock()
	if r.prime {
		r.left = r.id
		r.primes--
	}
}

// owns reports whether the run is the one that the pace is for, which it
// becomes if there is none, or if it is prime and the other is not. The caller
// holds known.
func (r *listRun) owns() bool {
	if r.owner == nil || r.prime && !r.owner.prime {
		r.owner = r
	}
	return r.owner == r
}

// disown leaves the pace to whoever asks next.
func (r *listRun) disown() {
	r.known.Lock()
	defer r.known.Unlock()
	if r.owner == r {
		r.owner = nil
		r.change()
	}
}

// change wakes the runs that leave the asking to another one. The caller holds
// known.
func (s *listSource) change() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// acquire takes a token.
func acquire(ctx context.Context, token chan<- struct{}) error {
	select {
	case token <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// refused returns what to make of a failure to get an answer. A cursor that
// an API doesn't take any more looks to it like a request that is wrong; it
// is the cursor if the API answers without it.
func (r *listRun) refused(ctx context.Context, p *poller, err error) error {
	var status statusError
	wrong := errors.As(err, &status) && slices.Contains(
		[]int{http.StatusBadRequest, http.StatusNotFound, http.StatusUnprocessableEntity}, int(status))
	if !wrong || r.at.cursor == r.target.cursor {
		return err
	}
	first := func(context.Context, *finding) (bool, error) { return true, nil }
	q := question{cursor: r.target.cursor, extra: true, enough: first}
	found, failed := p.ask(ctx, q)
	if failed != nil {
		return err
	}
	p.settle(q, &found, false, nil)
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
