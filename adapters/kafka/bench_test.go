package kafka

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	kafkago "github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"sidestream/adapters"
)

var errEnough = errors.New("enough")

// BenchmarkRun reads records of 100 bytes from a broker that always has more:
// as a source does, and as a bare loop over the library's Reader does, which
// has one connection for each partition. On two cores, which the broker shares,
// a source reads 1.3 to 1.5 million records a second out of one partition, two
// to three times as many as the library, and 1.2 million out of twelve, where
// the library comes to between 0.5 and 1.8 million.
func BenchmarkRun(b *testing.B) {
	for _, partitions := range []int32{1, 12} {
		k := startFake(b, partitions, kfake.SyntheticFetch(kfake.SyntheticBatch{Records: 1000, RecordBytes: 100}))
		b.Run(fmt.Sprintf("source/partitions=%d", partitions), func(b *testing.B) {
			f := k.factory(b, adapters.Route{}, func(o *Options) { o.MetadataAge = adapters.Duration(time.Minute) })
			s, err := f.Open(nil, adapters.Env{})
			if err != nil {
				b.Fatal(err)
			}
			n := 0
			b.SetBytes(100)
			b.ReportAllocs()
			b.ResetTimer()
			err = s.Run(b.Context(), "", func(adapters.Event) error {
				if n++; n > b.N {
					return errEnough
				}
				return nil
			})
			b.StopTimer()
			if !errors.Is(err, errEnough) {
				b.Fatal(err)
			}
			perSecond(b)
		})
		b.Run(fmt.Sprintf("library/partitions=%d", partitions), func(b *testing.B) {
			ctx, cancel := context.WithCancel(b.Context())
			records := make(chan kafkago.Message)
			done := make(chan struct{}, partitions)
			b.SetBytes(100)
			b.ReportAllocs()
			b.ResetTimer()
			for p := range partitions {
				reader := kafkago.NewReader(kafkago.ReaderConfig{
					Brokers: k.ListenAddrs(), Topic: topicName, Partition: int(p), MaxBytes: 8 << 20, MinBytes: 1, QueueCapacity: 1000,
				})
				go func() {
					defer func() { done <- struct{}{} }()
					defer reader.Close()
					for {
						m, err := reader.ReadMessage(ctx)
						if err != nil {
							return
						}
						select {
						case records <- m:
						case <-ctx.Done():
							return
						}
					}
				}()
			}
			for range b.N {
				<-records
			}
			b.StopTimer()
			cancel()
			for range partitions {
				<-done
			}
			perSecond(b)
		})
	}
}

func perSecond(b *testing.B) {
	b.Helper()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
}

// BenchmarkManyPartitions reads a hundred thousand records out of a thousand
// partitions, whose positions are kept.
func BenchmarkManyPartitions(b *testing.B) {
	const partitions, each = 1000, 100
	k := startFake(b, partitions, kfake.NumBrokers(3))
	var records []*kgo.Record
	for i := range partitions * each {
		records = append(records, &kgo.Record{Topic: topicName, Partition: int32(i / each), Value: make([]byte, 100)})
	}
	if err := k.client.ProduceSync(b.Context(), records...).FirstErr(); err != nil {
		b.Fatal(err)
	}
	s := k.source(b, nil)
	b.ReportAllocs()
	for b.Loop() {
		n := 0
		err := s.Run(b.Context(), "", func(adapters.Event) error {
			if n++; n == len(records) {
				return errEnough
			}
			return nil
		})
		if !errors.Is(err, errEnough) {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N*len(records))/b.Elapsed().Seconds(), "records/s")
}

// BenchmarkBegin is the time until a Run of so many partitions, which hold
// nothing new, says so.
func BenchmarkBegin(b *testing.B) {
	for _, partitions := range []int32{1, 1000} {
		b.Run(fmt.Sprintf("partitions=%d", partitions), func(b *testing.B) {
			k := startFake(b, partitions, kfake.NumBrokers(3))
			s := k.source(b, func(o *Options) { o.Start, o.Fetch.MaxWait = Start{}, adapters.Duration(minWait) })
			var at adapters.Position
			for b.Loop() {
				err := s.Run(b.Context(), at, func(e adapters.Event) error {
					at = e.Position
					return errEnough
				})
				if !errors.Is(err, errEnough) {
					b.Fatal(err)
				}
			}
		})
	}
}
