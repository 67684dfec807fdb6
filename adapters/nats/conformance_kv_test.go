package nats

import (
	"context"
	"strconv"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"sidestream/adapters"
	"sidestream/adapters/adaptertest"
)

func TestConformanceBucket(t *testing.T) {
	forms := []bucketForm{
		{name: "a bucket with history", revisions: 64},
		{name: "a bucket without", revisions: 1, change: func(o *Options) { o.Keys = []string{"eu.>"} }},
		{name: "history", revisions: 64, change: func(o *Options) { o.History = true }},
		{name: "some keys", revisions: 64, change: func(o *Options) { o.Keys = []string{"{region}.*.x"} }},
	}
	for _, f := range forms {
		t.Run(f.name, func(t *testing.T) {
			h := adaptertest.Harness{Start: f.start}
			if f.name == "some keys" {
				h.Tokens = []string{"region"}
			}
			adaptertest.Run(t, h)
		})
	}
}

type bucketForm struct {
	name      string
	revisions uint8 // that the bucket keeps of a key
	change    func(*Options)
}

func (f bucketForm) start(t testing.TB) *adaptertest.Upstream {
	t.Helper()
	srv := startServer(t)
	js := srv.JetStream(t)
	config := jetstream.KeyValueConfig{Bucket: "prices", History: f.revisions}
	kv := mustBucket(t, js, config)
	way := throughProxy(t, srv)
	factory := configure(t, way.URL(), adapters.Route{Vars: []string{"region"}}, func(o *Options) {
		o.Bucket = "prices"
		if f.change != nil {
			f.change(o)
		}
	})
	connected(t, factory)
	key := func(i int) string { return "eu.k" + strconv.Itoa(i%3) + ".x" }
	u := &adaptertest.Upstream{
		Factory: factory,
		Vars:    adapters.Vars{"region": "eu"},
		Publish: func(ctx context.Context, i int) error {
			_, err := kv.Put(ctx, key(i), []byte(strconv.Itoa(i)))
			return err
		},
		Delete:   func(ctx context.Context, i int) error { return kv.Delete(ctx, key(i)) },
		Number:   func(e adapters.Event) (int, error) { return strconv.Atoi(string(e.Data)) },
		Key:      key,
		Compacts: f.revisions == 1,
		Stall: func(context.Context) error {
			way.Stall()
			return nil
		},
		Private: []string{"127.0.0.1", "prices"},
		Recreate: func(ctx context.Context) error {
			if err := js.DeleteKeyValue(ctx, "prices"); err != nil {
				return err
			}
			return created(ctx, func() error {
				_, err := js.CreateKeyValue(ctx, config)
				return err
			})
		},
		Fail: func(context.Context) error {
			srv.Kill()
			return nil
		},
		Recover: func(ctx context.Context) error {
			srv.Restart()
			return ready(ctx, js, "KV_prices")
		},
	}
	if f.name == "history" {
		u.History = true
	}
	if f.revisions > 1 {
		u.Expire = func(ctx context.Context, n int) error {
			stream, err := js.Stream(ctx, "KV_prices")
			if err != nil {
				return err
			}
			return stream.Purge(ctx, jetstream.WithPurgeSequence(uint64(n+1)))
		}
		return u
	}
	// What is older than all that is published shows that the bucket was not
	// purged.
	if _, err := kv.Put(t.Context(), "old", []byte("0")); err != nil {
		t.Fatal(err)
	}
	return u
}

// mustBucket creates a bucket.
func mustBucket(t testing.TB, js jetstream.JetStream, config jetstream.KeyValueConfig) jetstream.KeyValue {
	t.Helper()
	var kv jetstream.KeyValue
	if err := created(t.Context(), func() (err error) {
		kv, err = js.CreateKeyValue(t.Context(), config)
		return err
	}); err != nil {
		t.Fatalf("create bucket %s: %v", config.Bucket, err)
	}
	return kv
}
