package nats

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"

	"sidestream/adapters"
)

// BenchmarkStream measures how fast what a stream holds is delivered, by this
// package's source and, in the same run and on the same server, by a bare loop
// over the client library's Messages. The server, in the same process, does
// most of the work; on two cores the source delivers 0.9 to 1.2 times as many
// messages a second as the bare loop.
func BenchmarkStream(b *testing.B) {
	const messages, size = 20_000, 200
	srv := startServer(b, func(o *server.Options) { o.JetStreamMaxMemory, o.JetStreamMaxStore = 1<<30, 1<<30 })
	js := srv.JetStream(b)
	stream := orders(b, js, func(c *jetstream.StreamConfig) { c.Storage = jetstream.MemoryStorage })
	payload := make([]byte, size)
	for range messages {
		if _, err := js.PublishAsync("orders.a", payload); err != nil {
			b.Fatal(err)
		}
	}
	select {
	case <-js.PublishAsyncComplete():
	case <-time.After(soon):
		b.Fatal("the stream is not filled")
	}
	done := errors.New("done")
	report := func(b *testing.B) {
		b.Helper()
		b.SetBytes(messages * size)
		b.ReportMetric(float64(b.N)*messages/b.Elapsed().Seconds(), "msgs/s")
	}
	b.Run("source", func(b *testing.B) {
		f := configure(b, srv.URL(), adapters.Route{}, func(o *Options) { o.Stream, o.Start = "ORDERS", Start{word: startAll} })
		s, err := f.Open(nil, adapters.Env{})
		if err != nil {
			b.Fatal(err)
		}
		for b.Loop() {
			n := 0
			err := s.Run(b.Context(), "", func(e adapters.Event) error {
				if e.Live {
					return nil
				}
				if n++; n == messages {
					return done
				}
				return nil
			})
			if !errors.Is(err, done) {
				b.Fatalf("got error %v after %d messages, want all", err, n)
			}
		}
		report(b)
	})
	b.Run("bare", func(b *testing.B) {
		for b.Loop() {
			bare(b.Context(), b, stream, messages)
		}
		report(b)
	})
}

// bare reads n messages of a stream with nothing but the client library.
func bare(ctx context.Context, b *testing.B, stream jetstream.Stream, n int) {
	b.Helper()
	consumer, err := stream.CreateConsumer(ctx, jetstream.ConsumerConfig{AckPolicy: jetstream.AckNonePolicy, MemoryStorage: true})
	if err != nil {
		b.Fatal(err)
	}
	iterator, err := consumer.Messages(jetstream.PullMaxMessages(defaults().Prefetch.Messages))
	if err != nil {
		b.Fatal(err)
	}
	for range n {
		m, err := iterator.Next()
		if err != nil {
			b.Fatal(err)
		}
		if _, err := m.Metadata(); err != nil {
			b.Fatal(err)
		}
	}
	iterator.Stop()
	if err := stream.DeleteConsumer(ctx, consumer.CachedInfo().Name); err != nil {
		b.Fatal(err)
	}
}
