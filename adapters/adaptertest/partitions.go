package adaptertest

import (
	"math/rand/v2"
	"slices"

	"sidestream/adapters"
)

// Partitions is an upstream in memory that is several logs, as a Kafka topic
// is. Its zero value has none yet, and is healthy. Its methods may be called
// concurrently.
//
// Its sources deliver each partition in order, and the partitions in a random
// order, which is another for each Run. So two Runs name different positions
// for the same events, and meet where they have delivered the same ones.
// Positions look like "name.0.1:3,7": in incarnation 0, right behind an event
// of partition 1, where the offsets 3 and 7 are next; that of a Live notice,
// which is behind no event, has "-" for the partition. A partition that a
// position doesn't name has come later, and is read from its first offset, 0.
type Partitions struct {
	// Name tells the positions of these partitions from those of others. It
	// holds what a position may hold. Set it before use, as all that follows.
	Name string

	// States says that each event is the state of its key. Sources then
	// start with the newest event of each key that is there.
	States bool

	// Oldest lets sources without States start, without a position, with the
	// oldest events at hand, and not at the end.
	Oldest bool

	// Seed is where the random orders come from: equal ones give equal orders.
	Seed uint64

	// Choose, if not nil, takes the place of the random order: it returns the
	// partition whose next event is to be delivered, which has to be one of
	// ready. With any other, such as -1, the run waits and asks again when
	// something has happened to the upstream, or Wake was called. Runs and
	// Replays are numbered together, from 1, as they begin. It must not call
	// methods of the Partitions.
	Choose func(run int, ready []int) int

	life

	// What follows is guarded by life.mu.
	incarnation int
	logs        []partition
	appended    uint64 // events ever
	runs        int    // Runs and Replays ever
}

// partition is one of the logs. Offsets count from 0.
type partition struct {
	expired int // offset of the oldest event at hand
	events  []appended
}

// appended is an event, and its number among those of all partitions.
type appended struct {
	adapters.Event
	number uint64
}

// end returns the offset of the next event to come.
func (l *partition) end() int { return l.expired + len(l.events) }

// event returns the event at an offset, which must be at hand.
func (l *partition) event(offset int) *appended { return &l.events[offset-l.expired] }

// Add adds n partitions, which are empty.
func (p *Partitions) Add(n int) {
	p.change(func() { p.logs = append(p.logs, make([]partition, n)...) })
}

// Append adds events to a partition, which must be there; the first is 0. It
// sets their State, if there are States and they have none, and keeps copies.
// Events of one key belong into one partition.
func (p *Partitions) Append(partition int, events ...adapters.Event) {
	p.change(func() {
		for _, e := range events {
			e = clone(e)
			if p.States && e.State == nil {
				e.State = &adapters.State{Type: e.Type, Data: slices.Clone(e.Data)}
			}
			p.add(partition, e)
		}
	})
}

func (p *Partitions) add(partition int, e adapters.Event) {
	p.appended++
	e.Position = ""
	l := &p.logs[partition]
	l.events = append(l.events, appended{e, p.appended})
}

// Delete takes key away, by an event with State.Gone behind the newest event
// of the key. If no event of it is at hand, nothing happens. It is for States
// alone.
func (p *Partitions) Delete(key string) {
	p.change(func() {
		if at, ok := p.newestUpTo(p.ends())[key]; ok {
			p.add(at.partition, adapters.Event{Key: key, State: &adapters.State{Gone: true}})
		}
	})
}

// Expire drops the oldest n events of a partition, or all if there are fewer.
// Positions before the last that was dropped are lost.
func (p *Partitions) Expire(partition, n int) {
	p.change(func() {
		l := &p.logs[partition]
		n = min(n, len(l.events))
		l.events = slices.Clone(l.events[n:])
		l.expired += n
	})
}

// Recreate empties all partitions and begins another incarnation of them, in
// which no position of an earlier one is known.
func (p *Partitions) Recreate() {
	p.change(func() {
		p.incarnation++
		clear(p.logs)
	})
}

// Wake makes runs that wait for Choose ask it again.
func (p *Partitions) Wake() { p.change(func() {}) }

// ends returns the offset of the next event to come of each partition.
func (p *Partitions) ends() []int {
	ends := make([]int, len(p.logs))
	for i := range p.logs {
		ends[i] = p.logs[i].end()
	}
	return ends
}

// oldest returns the offset of the oldest event at hand of each partition.
func (p *Partitions) oldest() []int {
	oldest := make([]int, len(p.logs))
	for i := range p.logs {
		oldest[i] = p.logs[i].expired
	}
	return oldest
}

// offset is where an event is.
type offset struct{ partition, offset int }

// newestUpTo returns where the newest event of each key is, of those at hand
// before the given offsets.
func (p *Partitions) newestUpTo(ends []int) map[string]offset {
	newest := make(map[string]offset)
	for i := range p.logs {
		l := &p.logs[i]
		for n := l.expired; n < min(l.end(), ends[i]); n++ {
			e := l.event(n)
			if at, ok := newest[e.Key]; !ok || p.logs[at.partition].event(at.offset).number < e.number {
				newest[e.Key] = offset{i, n}
			}
		}
	}
	return newest
}

// begin returns the number of a run that begins, and the order that it takes
// partitions in unless there is Choose.
func (p *Partitions) begin() (run int, order *rand.Rand) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.runs++
	return p.runs, rand.New(rand.NewPCG(p.Seed, uint64(p.runs))) //nolint:gosec // not for secrets
}
