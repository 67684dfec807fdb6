// Command kafkabench is what a benchmark compares Sidestream with, and what it
// produces with. It is built in the module of the program, which has the
// libraries.
//
//	kafkabench read BROKER TOPIC COUNT
//
// reads COUNT records of partition 0 by a bare loop over kafka-go's Reader.
//
//	kafkabench send BROKER TOPIC COUNT RATE
//
// sends COUNT records, RATE of them a second, without lingering. Each is the
// time at which it was sent, in nanoseconds since 1970, and 80 bytes of padding.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kgo"
)

func main() {
	if err := run(context.Background(), os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "kafkabench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	switch {
	case len(args) == 4 && args[0] == "read":
		count, err := strconv.Atoi(args[3])
		if err != nil {
			return err
		}
		return read(ctx, args[1], args[2], count)
	case len(args) == 5 && args[0] == "send":
		count, err := strconv.Atoi(args[3])
		if err != nil {
			return err
		}
		rate, err := strconv.Atoi(args[4])
		if err != nil {
			return err
		}
		return send(ctx, args[1], args[2], count, rate)
	}
	return fmt.Errorf("got %q, want read or send with a broker, a topic, a count, and a rate to send at", args)
}

func read(ctx context.Context, broker, topic string, count int) error {
	r := kafka.NewReader(kafka.ReaderConfig{
		Brokers: []string{broker},
		Topic:   topic,
		// As a source of Sidestream's has it.
		MaxBytes: 8 << 20,
		MaxWait:  500 * time.Millisecond,
		// With the default, 100, it is slower.
		QueueCapacity: 10_000,
	})
	for range count {
		if _, err := r.ReadMessage(ctx); err != nil {
			return errors.Join(err, r.Close())
		}
	}
	return nil // Close takes longer than reading
}

func send(ctx context.Context, broker, topic string, count, rate int) error {
	c, err := kgo.NewClient(kgo.SeedBrokers(broker), kgo.DefaultProduceTopic(topic), kgo.ProducerLinger(0))
	if err != nil {
		return err
	}
	defer c.Close()
	var failure atomic.Pointer[error]
	pad := " " + strings.Repeat("x", 80)
	tick := time.NewTicker(time.Second / time.Duration(rate))
	defer tick.Stop()
	for range count {
		<-tick.C
		value := strconv.FormatInt(time.Now().UnixNano(), 10) + pad
		c.Produce(ctx, &kgo.Record{Value: []byte(value)}, func(_ *kgo.Record, err error) {
			if err != nil {
				failure.Store(&err)
			}
		})
	}
	if err := c.Flush(ctx); err != nil {
		return err
	}
	if err := failure.Load(); err != nil {
		return *err
	}
	return nil
}
