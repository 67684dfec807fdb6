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
}

func TestConformance(t *testing.T) {
	for _, f := range []form{
		{name: "one partition", partitions: 1, keys: 5},
		{name: "three partitions", partitions: 3, keys: 5},
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
	} {
		t.Run(f.name, func(t *testing.T) {
			adaptertest.Run(t, adaptertest.Harness{Start: f.start})
		})
	}
}

func (f form) start(t testing.TB) *adaptertest.Upstream {
	t.Helper()
	k := startFake(t, f.partitions)
	factory := k.factory(t, adapters.Route{Vars: []string{"key"}}, f.change)
	key := func(i int) string { return "key" + strconv.Itoa(i%f.keys) }
	put := f.put
	if put == nil {
		put = func(i int) int32 { return partitionerMurmur2.partition([]byte(key(i)), int(f.partitions)) }
	}
	var mu sync.Mutex
	offsets := map[int32][]numbered{}
	return &adaptertest.Upstream{
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
			}
			return err
		},
		Number:    number,
		Key:       key,
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
}

// numbered is where a number was written.
type numbered struct {
	number int
	offset int64
}
