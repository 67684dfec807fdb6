package proxy

import (
	"errors"
	"net/http"
	"os"
	"time"
)

// sink writes to one connection, each write under a deadline, and remembers
// the first failure, so that the caller checks once, after flushing.
type sink struct {
	w       http.ResponseWriter
	control *http.ResponseController
	timeout time.Duration

	// clear says that a deadline must not outlive its write: HTTP/2 resets a
	// stream whose deadline passes while it is idle.
	clear bool

	lastWrite time.Time
	deadline  time.Time // when the write under way has to be done
	pending   bool      // written and not flushed
	bytes     int64
	err       error
}

func newSink(w http.ResponseWriter, r *http.Request, timeout time.Duration) *sink {
	return &sink{
		w: w, control: http.NewResponseController(w), timeout: timeout,
		clear: r.ProtoMajor >= 2, lastWrite: time.Now(),
	}
}

func (s *sink) write(block []byte) {
	if s.err != nil {
		return
	}
	if s.setDeadline(); s.err != nil {
		return
	}
	s.pending = true
	var n int
	n, s.err = s.w.Write(block)
	s.bytes += int64(n)
}

// setDeadline gives the next write its time, unless what is left of the last
// one's is nearly as much.
func (s *sink) setDeadline() {
	deadline := time.Now().Add(s.timeout)
	if deadline.Sub(s.deadline) < s.timeout/16 {
		return
	}
	s.deadline = deadline
	if err := s.control.SetWriteDeadline(deadline); !errors.Is(err, http.ErrNotSupported) {
		s.err = err // a recorder in a test has no deadlines; connections do
	}
}

// flush sends what was written, and returns the first error since the start.
func (s *sink) flush() error {
	if s.err != nil || !s.pending {
		return s.err
	}
	s.pending = false
	if s.setDeadline(); s.err != nil {
		return s.err
	}
	s.err = s.control.Flush()
	s.lastWrite = time.Now()
	if s.clear && s.err == nil {
		s.deadline = time.Time{}
		s.err = s.control.SetWriteDeadline(time.Time{})
	}
	return s.err
}

// reason says why writing failed.
func (s *sink) reason() departure {
	if errors.Is(s.err, os.ErrDeadlineExceeded) {
		return leftWriteTimeout
	}
	return leftGone
}
