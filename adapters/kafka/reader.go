package kafka

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"sidestream/adapters"
	"sidestream/adapters/kafka/broker"
)

// How often a reader that has delivered all there is says so, and how soon and
// how late it asks for the layout again when it can't read some partition.
const (
	beat       = 2 * time.Second
	lookSoon   = 50 * time.Millisecond
	lookLatest = time.Second
)

// straggling is how long records of a key may come to the partition that it has
// left: producers hear of new partitions within metadata.max.age.ms, which is
// five minutes unless it is set.
const straggling = 6 * time.Minute

// patience is how long nothing is read before that is a failure of the Run, and
// how long after trouble it is over.
const patience = 5 * time.Second

// replicaTime is for how long a replica is read from that the leader has named.
const replicaTime = 5 * time.Minute

// A reader is one Run at work. One goroutine owns it: it takes what its
// fetchers bring, one for each broker, and emits.
type reader struct {
	*source
	cluster *cluster
	until   *place // nil: there is no end
	emit    func(adapters.Event) error
	encoder *encoder

	layout   *layout
	at       *place // behind all that was emitted or passed over
	parts    map[partID]*part
	fetchers map[int32]*fetcher // by broker
	chunks   chan chunk         // from all of them
	group    sync.WaitGroup     // of all that was started
	failure  error              // the last failure of a fetcher or a partition

	answers  chan answer // to what was asked of the layout
	asking   bool
	timer    *time.Timer   // when to ask next
	delay    time.Duration // until then, if something is wrong
	troubled time.Time     // when something was found to be wrong
	worked   time.Time     // when something could be read

	toldLive time.Time // when the last Live notice was; zero: there was none
	began    time.Time // when the Run did
	resumed  int64     // the minute of the place where it began; 0: it has none

	keeps time.Duration // of compacted topics: for how long deletions can be known of
}

// A part is a partition that is read.
type part struct {
	id    partID
	at    at       // where it is in reader.at
	next  int64    // offset of the next record
	until int64    // where to stop; -1: nowhere
	owner *fetcher // nil: it can't be read for the moment
	turn  int      // how often it was assigned

	moved bool      // since the Run began, the key has moved there
	left  bool      // the key has moved away
	quits time.Time // if it has: until when it is read all the same

	leader, epoch int32
	replica       int32     // to fetch from instead of the leader; -1: none
	replicaUntil  time.Time // when to go back to the leader

	ahead time.Time // since when its leader seems to lack records that were there; zero: it doesn't

	high int64 // offset behind the last record that there is; -1: unknown

	// What one who has come so far knows of a compacted topic: that there was
	// nothing else at the time caught, and what was dated up to dated.
	holds         bool // something was read of it
	caught, dated time.Time
}

// An answer is what a look at the layout has come to.
type answer struct {
	layout *layout
	err    error
}

func newReader(s *source, cluster *cluster, until *place, emit func(adapters.Event) error) *reader {
	return &reader{
		source:   s,
		cluster:  cluster,
		until:    until,
		emit:     emit,
		encoder:  s.factory.places.encoder(),
		parts:    map[partID]*part{},
		fetchers: map[int32]*fetcher{},
		chunks:   make(chan chunk),
		answers:  make(chan answer, 1),
		worked:   time.Now(),
	}
}

// run reads until ctx is done, the end is reached or reading has failed.
func (r *reader) run(ctx context.Context, after adapters.Position) error {
	l, err := r.prepare(ctx, after)
	if err != nil {
		return err
	}
	running, cancel := context.WithCancel(ctx)
	defer r.group.Wait()
	defer cancel()

	r.timer = time.NewTimer(time.Duration(r.factory.options.MetadataAge))
	defer r.timer.Stop()
	if err := r.adopt(running, l, after == ""); err != nil {
		return err
	}
	beats := time.NewTicker(beat)
	defer beats.Stop()
	for {
		if r.finished() {
			return ctx.Err()
		}
		if err := r.tell(); err != nil {
			return err
		}
		select {
		case c := <-r.chunks:
			err = r.take(running, c)
		case a := <-r.answers:
			r.asking = false
			err = r.hear(running, a)
		case <-r.timer.C:
			r.look(running)
		case <-beats.C:
			err = r.stuck()
		case <-ctx.Done():
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
	}
}

// prepare finds out where to begin, and what there is to read.
func (r *reader) prepare(ctx context.Context, after adapters.Position) (*layout, error) {
	l, err := r.lookUp(ctx, r.cluster)
	if err != nil {
		return nil, err
	}
	if r.at, err = r.begin(ctx, r.cluster, l, after, r.until); err != nil {
		return nil, err
	}
	r.skipLeft(l)
	r.resumed, r.began = r.at.minute, time.Now()
	if r.factory.options.Compacted {
		r.keeps, err = r.keepsDeletions(ctx, r.cluster, l)
	}
	return l, err
}

// skipLeft takes what is to be replayed of partitions that the key has left as
// had by one who has begun when it had.
func (r *reader) skipLeft(l *layout) {
	if r.until == nil || r.key == nil {
		return
	}
	for i := range l.topics {
		to, found := r.until.topic(l.topics[i].name)
		selected, err := r.selected(&l.topics[i])
		if !found || err != nil {
			continue
		}
		t, _ := r.at.topic(l.topics[i].name)
		for _, p := range r.until.topics[to].parts {
			if _, has := r.at.topics[t].find(p.partition); !has && !slices.Contains(selected, p.partition) {
				r.at.addPartition(t, p.partition, p.next)
			}
		}
	}
}

// finished reports whether everything up to the end is delivered.
func (r *reader) finished() bool {
	return r.until != nil && len(r.parts) == 0 && covers(r.at, r.until)
}

// tell says that everything is delivered that there is, if it is so and was not
// said lately.
func (r *reader) tell() error {
	if r.until != nil || !r.toldLive.IsZero() && time.Since(r.toldLive) < beat || !r.caughtUp() {
		return nil
	}
	r.toldLive = time.Now()
	r.at.last = at{topic: none}
	return r.emit(adapters.Event{Live: true, Position: r.position()})
}

// caughtUp reports whether all partitions are read up to their end, as all
// brokers have said since the last time that it was told.
func (r *reader) caughtUp() bool {
	for _, p := range r.parts {
		if p.high < 0 || p.next < p.high || p.owner == nil || !p.owner.answered.After(r.toldLive) && !r.toldLive.IsZero() {
			return false
		}
	}
	return true
}

// position returns the position of the place that is reached.
func (r *reader) position() adapters.Position {
	if r.factory.options.Compacted {
		r.at.minute = r.knownSince()
	}
	return r.encoder.position(r.at)
}

// knownSince returns the minute before which nothing happened that isn't known
// at the place that is reached.
func (r *reader) knownSince() int64 {
	oldest := time.Now()
	if r.until != nil && r.until.minute > 0 { // where other partitions have come to
		oldest = time.Unix(r.until.minute*60, 0)
	}
	for _, p := range r.parts {
		if known := p.known(oldest); known.Before(oldest) {
			oldest = known
		}
	}
	return minuteOf(oldest)
}

// known returns before when nothing happened in a partition that isn't known,
// up to now. Who holds nothing of it has nothing that could be out of date.
func (p *part) known(now time.Time) time.Time {
	switch {
	case !p.holds:
		return now
	case p.dated.After(p.caught):
		return p.dated
	default:
		return p.caught
	}
}

// look looks the layout up, if that isn't being done.
func (r *reader) look(ctx context.Context) {
	if r.asking {
		return
	}
	r.asking = true
	r.group.Go(func() {
		l, err := r.lookUp(ctx, r.cluster)
		r.answers <- answer{l, err} // there is room, since one asks at a time
	})
}

// lookAgain sees to it that the layout is looked up again: soon if something is
// wrong, and later each time that something still is.
func (r *reader) lookAgain(wrong bool) {
	after := time.Duration(r.factory.options.MetadataAge)
	if wrong {
		now := time.Now()
		if now.Sub(r.troubled) > patience {
			r.delay = 0
		}
		r.troubled = now
		r.delay = min(max(2*r.delay, lookSoon), lookLatest)
		after = min(after, r.delay)
	}
	r.timer.Reset(after)
}

// stuck returns the failure that has kept everything from being read for a
// while, although brokers say who leads.
func (r *reader) stuck() error {
	if time.Since(r.worked) > patience+time.Duration(r.factory.options.Fetch.MaxWait) {
		return r.failure
	}
	return nil
}

// hear takes in an answer. One that failed is a failure of the Run only if
// nothing can be read any more.
func (r *reader) hear(ctx context.Context, a answer) error {
	if a.err == nil {
		return r.adopt(ctx, a.layout, false)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if adapters.IsPermanent(a.err) || !r.reads() {
		return a.err
	}
	r.failure = a.err
	r.env.Count("layout_failed")
	r.env.Log.Warn().Err(a.err).Msg("the layout of the topics can't be looked up; reading goes on")
	r.lookAgain(true)
	return nil
}

// reads reports whether some partition can be read.
func (r *reader) reads() bool {
	for _, p := range r.parts {
		if p.owner != nil {
			return true
		}
	}
	return false
}

// lostTopic returns the error that says that a topic was deleted and created
// anew, all of which is to be read.
func (r *reader) lostTopic(t *topicLayout) error {
	to := r.at.clone()
	i, _ := to.topic(t.name)
	to.topics[i].id, to.topics[i].parts = t.id, nil
	to.last = at{topic: none}
	return &adapters.PositionLostError{Reason: adapters.LostRecreated, Resume: r.positionOf(to), Lost: -1}
}

// node returns the broker that a partition is to be fetched from. ok is false
// if there is none for the moment.
func (r *reader) node(p *part) (node broker.Node, ok bool) {
	if p.replica >= 0 && time.Now().Before(p.replicaUntil) {
		if node, ok = r.layout.brokers[p.replica]; ok {
			return node, true
		}
	}
	p.replica = -1
	node, ok = r.layout.brokers[p.leader]
	return node, ok
}

// describe names a partition in logs.
func (r *reader) describe(id partID) string {
	return fmt.Sprintf("topic %s, partition %d", r.topics[id.topic], id.partition)
}
