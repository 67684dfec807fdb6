package sse

import (
	"bytes"
	"context"
	"errors"
	"io"
	"time"

	"sidestream/proxy/eventstream"
)

// A delivery is what one call of the decoder gave.
type delivery struct {
	event  eventstream.Event
	err    error         // what the event is not there for; final unless it is too long
	lastID string        // the newest id as of then
	retry  time.Duration // the newest that the server has asked for
	asked  bool          // it has asked for one
}

// A reader reads a body on a goroutine of its own, one event ahead of who
// takes them, so that silence can be told from the outside.
type reader struct {
	deliveries chan delivery
	stop       context.CancelCauseFunc
	left       chan struct{} // closed when nobody takes deliveries any more
	done       chan struct{} // closed when the goroutine is
	body       io.Closer
}

// read starts to read body, which ends with a context that stop ends. It does
// so if body is silent for longer than idle, unless that is 0.
func read(body io.ReadCloser, o *eventstream.DecoderOptions, idle time.Duration, stop context.CancelCauseFunc) *reader {
	r := &reader{make(chan delivery), stop, make(chan struct{}), make(chan struct{}), body}
	in := io.Reader(body)
	if idle > 0 {
		timer := time.AfterFunc(idle, func() { stop(errSilent) })
		timer.Stop()
		in = &watched{body, idle, timer}
	}
	d := eventstream.NewDecoder(in, o)
	go func() {
		defer close(r.done)
		for {
			next := delivery{}
			next.event, next.err = d.Next()
			next.event.Data = bytes.Clone(next.event.Data)
			next.lastID = d.LastEventID()
			next.retry, next.asked = d.Retry()
			select {
			case r.deliveries <- next:
			case <-r.left:
				return
			}
			if next.err != nil && !isTooLong(next.err) {
				return
			}
		}
	}()
	return r
}

func isTooLong(err error) bool {
	_, ok := errors.AsType[*eventstream.TooLongError](err)
	return ok
}

// close ends the reading, and waits for that.
func (r *reader) close() {
	r.stop(nil)
	close(r.left)
	<-r.done
	_ = r.body.Close() // not while it is read
}

// watched is a reader that is given up if one read takes too long. What
// happens to what was read is not its concern.
type watched struct {
	r     io.Reader
	idle  time.Duration
	timer *time.Timer
}

func (w *watched) Read(p []byte) (int, error) {
	w.timer.Reset(w.idle)
	defer w.timer.Stop()
	return w.r.Read(p)
}
