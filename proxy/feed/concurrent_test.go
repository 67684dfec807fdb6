package feed_test

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"sidestream/adapters"
	"sidestream/proxy/feed"
)

// TestConcurrent has readers of all speeds follow an appender that waits for
// none of them. Each has to account for every event.
func TestConcurrent(t *testing.T) {
	const events, readers = 20000, 16
	l := feed.New(feed.Options{Events: 64, Keys: 10, Latest: true})
	closed := make(chan struct{})
	var running sync.WaitGroup
	for i := range readers {
		running.Go(func() {
			if i == 0 {
				<-closed // far too late
			}
			if err := follow(l, events, 1+i); err != nil {
				t.Errorf("reader %d: %v", i, err)
			}
		})
	}
	running.Go(func() { // whatever else goes on
		for {
			select {
			case <-closed:
				return
			default:
				l.Latest(feed.Cursor{}, nil)
				l.Wake()
				l.Stats()
				l.After("none")
			}
		}
	})
	for i := range events {
		if err := l.Append(&adapters.Event{Key: strconv.Itoa(i % 20)}); err != nil {
			t.Error(err)
		}
		if i%100 == 0 {
			l.AppendGap(feed.Gap{})
		}
	}
	l.Close()
	close(closed)
	running.Wait()
}

// follow reads to the end and returns an error unless every one of so many
// events was either read, in order, or reported as lost.
func follow(l *feed.Log, events int64, size int) error {
	var (
		c    feed.Cursor
		seen int64
		buf  = make([]feed.Entry, size)
	)
	for {
		n, changed, err := l.Read(&c, buf)
		var overrun *feed.OverrunError
		switch {
		case errors.As(err, &overrun):
			seen += overrun.Lost
			c = overrun.Resume
			continue
		case errors.Is(err, io.EOF) && seen == events:
			return nil
		case err != nil:
			return fmt.Errorf("got %w after %d events, want EOF after %d", err, seen, events)
		}
		for _, e := range buf[:n] {
			if e.Gap != nil {
				continue
			}
			seen++
			if _, number, _ := strings.Cut(e.ID, "-"); number != strconv.FormatInt(seen, 10) {
				return fmt.Errorf("got event %s, want number %d", e.ID, seen)
			}
		}
		if n == 0 {
			<-changed
		}
	}
}

// TestNoLostWakeUp appends the next event only when all readers have read the
// one before, so that one wake-up that is lost stops everything, which
// synctest finds out.
func TestNoLostWakeUp(t *testing.T) {
	synctest.Test(t, func(*testing.T) {
		const events, readers = 2000, 8
		l := feed.New(feed.Options{})
		var running, reading sync.WaitGroup
		for range readers {
			running.Go(func() {
				var c feed.Cursor
				buf := make([]feed.Entry, 4)
				for {
					n, changed, err := l.Read(&c, buf)
					if err != nil {
						return
					}
					for range n {
						reading.Done()
					}
					if n == 0 {
						<-changed
					}
				}
			})
		}
		for range events {
			reading.Add(readers)
			l.Append(&adapters.Event{})
			reading.Wait()
		}
		l.Close()
		running.Wait()
	})
}

// All readers get the one block, not a copy.
func TestBlocksAreShared(t *testing.T) {
	l := feed.New(feed.Options{})
	appendAll(t, l, numbers(10)...)
	var first [10]feed.Entry
	var c feed.Cursor
	l.Read(&c, first[:])
	for i := range first {
		var again [1]feed.Entry
		c := l.Tail(10 - i)
		l.Read(&c, again[:])
		if &again[0].Block[0] != &first[i].Block[0] {
			t.Errorf("block %d: got a copy, want the same memory", i)
		}
	}
}

// Nobody waits, nothing is made to wake them; what is read is not copied.
func TestAllocations(t *testing.T) {
	l := feed.New(feed.Options{Events: 64})
	e := adapters.Event{Data: []byte("some payload")}
	for range 1000 {
		l.Append(&e)
	}
	if got := testing.AllocsPerRun(1000, func() { l.Append(&e) }); got > 2 {
		t.Errorf("allocations of an append: got %v, want 2, the block and the id", got)
	}
	c, buf := l.Tail(-1), make([]feed.Entry, 64)
	if got := testing.AllocsPerRun(100, func() {
		c := c
		l.Read(&c, buf)
	}); got != 0 {
		t.Errorf("allocations of a read: got %v, want 0", got)
	}
}
