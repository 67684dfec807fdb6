package history

import (
	"context"
	"strconv"
	"testing"
	"time"

	"sidestream/adapters"
)

// BenchmarkReceive writes events of 256 bytes, by many senders at once, into a
// log in the embedded server: with each message on the disk before it is
// acknowledged, and with the disk told each second, which takes a fifteenth of
// the time on a fast virtual disk.
func BenchmarkReceive(b *testing.B) {
	for name, sync := range map[string]time.Duration{"sync": 0, "second": time.Second} {
		b.Run(name, func(b *testing.B) {
			r := newReplica(b, nil, func(o *Options) { o.Embedded.SyncInterval = adapters.Duration(sync) })
			s := open(b, r.keep(pushedFactory{}))
			data := make([]byte, 256)
			if err := receive(b, s, adapters.Event{Data: data}); err != nil {
				b.Fatal(err)
			}
			b.SetParallelism(64)
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if err := s.(adapters.Receiver).Receive(context.Background(), []adapters.Event{{Data: data}}); err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	}
}

// BenchmarkPull writes events of 256 bytes, one after the other, as a source
// that pulls delivers them, and reads them again. With each on the disk before
// the next it takes five times as long; it is the disk that one waits for then.
func BenchmarkPull(b *testing.B) {
	for name, sync := range map[string]time.Duration{"sync": 0, "second": time.Second} {
		b.Run(name, func(b *testing.B) {
			r := newReplica(b, nil, func(o *Options) { o.Embedded.SyncInterval = adapters.Duration(sync) })
			up := newUpstream(adapters.Capabilities{})
			run := start(b, open(b, r.keep(up)), "")
			run.awaitLive()
			go func() {
				for {
					select {
					case <-run.events:
					case <-run.done:
						return
					}
				}
			}()
			data := []byte(strconv.Itoa(1e9) + string(make([]byte, 246)))
			b.ResetTimer()
			for b.Loop() {
				if err := up.send(b, adapters.Event{Data: data}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
