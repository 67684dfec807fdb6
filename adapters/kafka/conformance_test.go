package kafka

import (
	"context"
	"slices"
	"strconv"
	"sync"
	"testing"

	"sidestream/adapters"
	"sidestream/adapters/adaptertest"
)

// A form is one way of reading topics that the suite is run in.
type form struct {
	name       string
	partitions int32
	change     func(*Options)
	keys       int               // how many the numbers have
	put        func(i int) int32 // into which partition number i goes; nil: that of its key
	noise      []int32           // partitions that get other records in between, which the source doesn't deliver
	grows      bool              // partitions are added
}

func TestConformance(t *testing.T) {
	for _, f := range []form{
		{name: "one partition", partitions: 1, keys: 5},
		{name: "three partitions", partitions: 3, keys: 5, grows: true},
		{name: "three partitions in turn", partitions: 3, keys: 3, put: func(i int) int32 { return int32(i % 3) }},
		{name: "from the start", partitions: 3, keys: 5, change: func(o *Options) { o.Start = Start{word: startEarliest} }},
		{name: "a little at a time", partitions: 3, keys: 5, change: func(o *Options) {
			o.Fetch.MaxBytes, o.Fetch.MaxPartitionBytes = 1024, 1024
		}},
		{name: "some partitions", partitions: 4, keys: 2, put: func(i int) int32 { return int32(1 + i%2) }, noise: []int32{0, 3}, change: func(o *Options) {
			o.Partitions = []int32{2, 1}
		}},
		{name: "one key", partitions: 4, keys: 1, noise: []int32{0, 1, 2, 3}, change: func(o *Options) { o.RecordKey = "{key}" }},
		{name: "positions that are kept", partitions: 300, keys: 5},
		{name: "compacted", partitions: 3, keys: 5, change: func(o *Options) { o.Compacted = true }},
		{name: "compacted, one key", partitions: 3, keys: 1, change: func(o *Options) { o.Compacted, o.RecordKey = true, "key0" }},
	} {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			adaptertest.Run(t, adaptertest.Harness{Start: f.start})
		})
	}
}

func (f form) start(t testing.TB) *adaptertest.Upstream {
	t.Helper()
	k := startFake(t, f.partitions)
	factory := k.factory(t, adapters.Route{Vars: []string{"key"}}, f.change)
	key := func(i int) string { return "key" + strconv.Itoa(i%f.keys) }
	added, newest := int32(0), 0 // partitions, and the last number
	put := f.put
	if put == nil {
		put = func(i int) int32 { return partitionerMurmur2.partition([]byte(key(i)), int(f.partitions)) }
	}
	var mu sync.Mutex
	offsets := map[int32][]numbered{}
	u := &adaptertest.Upstream{
		Factory: factory,
		Vars:    adapters.Vars{"key": "key0"},
		Publish: func(ctx context.Context, i int) error {
			for _, p := range f.noise {
				if _, err := k.produce(ctx, p, []byte("other"), []byte("noise")); err != nil {
					return err
				}
			}
			p := put(i)
			offset, err := k.produce(ctx, p, []byte(key(i)), []byte(strconv.Itoa(i)))
			if err == nil {
				mu.Lock()
				defer mu.Unlock()
				offsets[p] = append(offsets[p], numbered{i, offset})
				newest = max(newest, i)
			}
			return err
		},
		Number:    number,
		Key:       func(i int) string { return key(i) },
		FromStart: true,
		Private:   []string{"127.0.0.1", topicName},
		Fail: func(context.Context) error {
			k.gate.close()
			return nil
		},
		Recover: func(context.Context) error {
			k.gate.open()
			return nil
		},
		Stall: func(context.Context) error {
			k.gate.stall()
			return nil
		},
		Expire: func(_ context.Context, n int) error {
			mu.Lock()
			defer mu.Unlock()
			for p, list := range offsets {
				for _, m := range slices.Backward(list) {
					if m.number > n {
						continue
					}
					if err := k.DeleteRecords(topicName, p, m.offset+1); err != nil {
						return err
					}
					break
				}
			}
			return nil
		},
		Recreate: func(context.Context) error {
			if err := k.DeleteTopic(topicName); err != nil {
				return err
			}
			k.client.PurgeTopicsFromClient(topicName)
			mu.Lock()
			defer mu.Unlock()
			clear(offsets)
			return k.CreateTopic(topicName, f.partitions, nil)
		},
	}
	if f.grows {
		u.Grow = func(ctx context.Context) error {
			added++
			_, err := k.admin.CreatePartitions(ctx, 1, topicName)
			k.client.PurgeTopicsFromClient(topicName)
			put = func(i int) int32 { return int32(i) % (f.partitions + added) }
			before, grown := key, newest
			key = func(i int) string {
				if i <= grown {
					return before(i)
				}
				return "p" + strconv.Itoa(int(put(i)))
			}
			return err
		}
	}
	if factory.options.Compacted {
		u.History = true
		u.Delete = func(ctx context.Context, i int) error {
			_, err := k.produce(ctx, put(i), []byte(key(i)), nil)
			return err
		}
	}
	return u
}

// numbered is where a number was written.
type numbered struct {
	number int
	offset int64
}
