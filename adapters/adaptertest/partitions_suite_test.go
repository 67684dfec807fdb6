package adaptertest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"sidestream/adapters"
)

// TestPartitions is the suite on the reference of partitioned sources.
func TestPartitions(t *testing.T) {
	for name, form := range partitionedForms() {
		t.Run(name, func(t *testing.T) { Run(t, partitionsHarness(form)) })
	}
}

func partitionedForms() map[string]*Partitions {
	return map[string]*Partitions{
		"events": {}, "events from the oldest": {Oldest: true}, "states": {States: true},
	}
}

func partitionsHarness(form *Partitions) Harness {
	var made int // so far, so that each has a name of its own
	return Harness{
		Start: func(testing.TB) *Upstream {
			made++
			return newTopic(form, made).upstream()
		},
		Segments: []string{"user"},
	}
}

// topic publishes numbers to partitions: to five keys in three of them, and,
// when some were added, every other number to a key of its own in the newest.
type topic struct {
	*Partitions

	mu      sync.Mutex
	last    int     // number published
	grown   []int   // the first number published after each growth
	numbers [][]int // in each partition
	expired []int   // how many of those
}

// newTopic returns one of partitions that are as form says.
func newTopic(form *Partitions, made int) *topic {
	t := &topic{Partitions: &Partitions{
		Name: fmt.Sprint("topic", made), States: form.States, Oldest: form.Oldest, Seed: uint64(made),
	}}
	t.add(3)
	return t
}

func (t *topic) add(n int) {
	t.Partitions.Add(n)
	t.numbers = append(t.numbers, make([][]int, n)...)
	t.expired = append(t.expired, make([]int, n)...)
}

func (t *topic) grow() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.add(1)
	t.grown = append(t.grown, t.last+1)
}

// place returns the partition and key that number i is published to.
func (t *topic) place(i int) (partition int, key string) {
	partition = 2
	for _, first := range t.grown {
		if first <= i {
			partition++
		}
	}
	if partition > 2 && i%2 == 0 {
		return partition, fmt.Sprint("new", partition)
	}
	return i % 5 % 3, fmt.Sprint("key", i%5)
}

func (t *topic) publish(i int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	partition, key := t.place(i)
	e := event(new(Log), i)
	e.Key = key
	t.numbers[partition] = append(t.numbers[partition], i)
	t.last = max(t.last, i)
	t.Append(partition, e)
}

// expire forgets the numbers up to n.
func (t *topic) expire(n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for p, numbers := range t.numbers {
		for t.expired[p] < len(numbers) && numbers[t.expired[p]] <= n {
			t.expired[p]++
			t.Expire(p, 1)
		}
	}
}

func (t *topic) recreate() {
	t.mu.Lock()
	defer t.mu.Unlock()
	clear(t.numbers)
	clear(t.expired)
	t.Recreate()
}

func (t *topic) key(i int) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	_, key := t.place(i)
	return key
}

// upstream returns an upstream with all that a topic can do.
func (t *topic) upstream() *Upstream {
	u := &Upstream{
		Factory: t.Factory(),
		Vars:    adapters.Vars{"user": "ann"},
		Publish: func(_ context.Context, i int) error { t.publish(i); return nil },
		Number:  number,
		Key:     t.key,
		Grow:    func(context.Context) error { t.grow(); return nil },
		Fail: func(context.Context) error {
			t.Fail(adapters.Transient("upstream refused", errors.New("dial "+address)))
			return nil
		},
		Recover: func(context.Context) error { t.Recover(); return nil },
		Stall:   func(context.Context) error { t.Stall(); return nil },
		Break: func(context.Context) error {
			t.Fail(adapters.Permanent("not allowed", errors.New("login at "+address)))
			return nil
		},
		Private:  []string{address, "10.1.2.3"},
		Expire:   func(_ context.Context, n int) error { t.expire(n); return nil },
		Recreate: func(context.Context) error { t.recreate(); return nil },
		End:      func(context.Context) error { t.End(); return nil },
	}
	if t.States {
		u.Delete = func(_ context.Context, i int) error { t.Delete(t.key(i)); return nil }
	}
	return u
}
