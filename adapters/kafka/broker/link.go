package broker

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"time"

	"github.com/segmentio/kafka-go/protocol"

	"sidestream/adapters"
)

// maxThrottle bounds for how long a broker may say that it won't read.
const maxThrottle = time.Minute

// A link is a connection to a broker. It carries one exchange at a time. Any
// failure makes it unusable.
type link struct {
	address  string
	clientID string
	raw      net.Conn
	conn     net.Conn // raw, or TLS over it
	limit    int      // bytes of an answer

	offered     map[protocol.ApiKey]span
	correlation int32
	answered    bool      // one exchange has been done
	muted       time.Time // until when the broker won't read
	broken      bool
	suspicion   string // why the broker may hang up before the next answer

	session session // zero: there is no authentication
}

func (l *link) close() { _ = l.raw.Close() } // without the goodbye of TLS, which could block

// do does one exchange within the given time. A failure is classified, unless
// ctx is done: then it is ctx's.
func (l *link) do(ctx context.Context, x exchange, timeout time.Duration) error {
	f := x.form()
	if l.broken {
		return l.failed(ctx, f.key, net.ErrClosed)
	}
	version, ok := f.choose(l.offered)
	if !ok {
		return adapters.Permanent(reasonVersion, fmt.Errorf("%v of %s: it offers no version that is known here", f.key, l.address))
	}
	if muted := time.Until(l.muted); muted > 0 {
		timeout += muted
	}
	flexible := f.flexible > 0 && version >= f.flexible
	e := encoder{b: l.header(f.key, version, flexible), flexible: flexible}
	x.encode(&e, version)
	if e.err != nil {
		return fmt.Errorf("%v: %w", f.key, e.err)
	}
	l.broken = true // unless all goes well
	answer, err := l.roundTrip(ctx, e.b, time.Now().Add(timeout))
	if err != nil {
		return l.failed(ctx, f.key, err)
	}
	d := decoder{b: answer, flexible: flexible}
	d.tags() // of the header
	x.decode(&d, version)
	if d.err != nil {
		return l.failed(ctx, f.key, d.err)
	}
	l.muted = time.Now().Add(min(time.Duration(d.throttle)*time.Millisecond, maxThrottle))
	l.answered, l.broken, l.suspicion = true, false, ""
	return nil
}

// failed returns err as that of an exchange.
func (l *link) failed(ctx context.Context, key protocol.ApiKey, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("%v: %w", key, ctx.Err())
	}
	err = fmt.Errorf("%v of %s: %w", key, l.address, err)
	if l.suspicion != "" && isLost(err) {
		err = fmt.Errorf("%w (%s)", err, l.suspicion)
	}
	var large *tooLargeError
	if !l.answered && (errors.Is(err, errMalformed) || errors.As(err, &large)) {
		return adapters.Transient(reasonNotKafka, err)
	}
	return classify(err)
}

// header returns the beginning of a request, with room for its length.
func (l *link) header(key protocol.ApiKey, version int16, flexible bool) []byte {
	l.correlation++
	e := encoder{b: make([]byte, 4, 512)}
	e.int16(int16(key))
	e.int16(version)
	e.int32(l.correlation)
	e.string(l.clientID) // not compact in any version
	e.flexible = flexible
	e.tags()
	return e.b
}

// roundTrip sends a request and returns its answer without length and
// correlation id, in memory of its own. It ends when ctx does.
func (l *link) roundTrip(ctx context.Context, request []byte, deadline time.Time) ([]byte, error) {
	if len(request)-4 > math.MaxInt32 {
		return nil, fmt.Errorf("a request of %d bytes is too long", len(request))
	}
	binary.BigEndian.PutUint32(request, uint32(len(request)-4))
	defer l.interruptible(ctx, deadline)()
	if _, err := l.conn.Write(request); err != nil {
		return nil, err
	}
	var head [4]byte
	if _, err := io.ReadFull(l.conn, head[:]); err != nil {
		return nil, err
	}
	size := int(int32(binary.BigEndian.Uint32(head[:])))
	switch {
	case !l.answered && isAlert(head):
		return nil, errWantsTLS
	case size > l.limit:
		return nil, &tooLargeError{size: size, limit: l.limit}
	case size < 4:
		return nil, errMalformed
	}
	if _, err := io.ReadFull(l.conn, head[:]); err != nil {
		return nil, unexpected(err)
	}
	if int32(binary.BigEndian.Uint32(head[:])) != l.correlation {
		return nil, errMalformed
	}
	answer := make([]byte, size-4)
	if _, err := io.ReadFull(l.conn, answer); err != nil {
		return nil, unexpected(err)
	}
	return answer, nil
}

// isAlert reports whether an answer begins as an alert of TLS does: the type 21,
// and a version that is 3.something (RFC 8446, section 5.1).
func isAlert(head [4]byte) bool { return head[0] == 21 && head[1] == 3 }

// unexpected returns err, which came in the middle of an answer.
func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// interruptible lets reads and writes fail from the deadline on, and at once
// when ctx is done, until the returned function is called.
func (l *link) interruptible(ctx context.Context, deadline time.Time) (stop func()) {
	_ = l.raw.SetDeadline(deadline) // it fails if the connection is closed, and so will what follows
	done := make(chan struct{})
	cancel := context.AfterFunc(ctx, func() {
		defer close(done)
		_ = l.raw.SetDeadline(time.Unix(1, 0))
	})
	return func() {
		if !cancel() {
			<-done
		}
	}
}
