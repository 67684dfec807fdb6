package nats

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	natsgo "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"sidestream/adapters"
)

// requestTimeout bounds one exchange with the JetStream API.
const requestTimeout = 5 * time.Second

// A session is the use that one Run makes of the shared connection, to read
// one stream.
type session struct {
	conn   *connection
	js     jetstream.JetStream
	stream string
	inbox  string // the prefix of the subjects of answers
	seen   *atomic.Bool

	mu       sync.Mutex
	consumer string // guarded by mu; the name of the one that was asked for last
}

// session calls do with a session that lasts for as long as its context: until
// ctx is done, the connection is lost, or the server does not permit what the
// session asks for. Then do is to return, and what it returned counts only if
// it is an error that emit returned, which do says by wrapping it in an
// [emitError].
func (u *upstream) session(ctx context.Context, do func(ctx context.Context, s *session) error) error {
	conn, err := u.way.conn(ctx)
	if err != nil {
		return err
	}
	js, err := u.jetStream(conn.Conn)
	if err != nil {
		return adapters.Permanent(reasonBadRequest, err)
	}
	s := &session{conn: conn, js: js, stream: u.stream, inbox: conn.Opts.InboxPrefix + separator, seen: &u.seen}

	alive, end := context.WithCancelCause(ctx)
	defer end(nil)
	defer conn.listen(func(err error) {
		if s.concerns(err) {
			end(classify(fmt.Errorf("stream %s: %w", u.stream, err)))
		}
	})()
	var watch sync.WaitGroup
	watch.Go(func() {
		select {
		case <-conn.lost:
			end(conn.cause())
		case <-alive.Done():
		}
	})
	err = do(alive, s)
	cause := context.Cause(alive)
	end(nil)
	watch.Wait()

	if emit, ok := err.(emitError); ok { //nolint:errorlint // it is never wrapped
		return emit.error
	}
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case cause != nil:
		return cause
	}
	return err
}

// An emitError is an error that emit has returned, to be told from others.
type emitError struct{ error }

// jetStream returns the JetStream API as it is configured.
func (u *upstream) jetStream(nc *natsgo.Conn) (jetstream.JetStream, error) {
	switch o := u.factory.options; {
	case o.APIPrefix != "":
		return jetstream.NewWithAPIPrefix(nc, o.APIPrefix)
	case o.Domain != "":
		return jetstream.NewWithDomain(nc, o.Domain)
	default:
		return jetstream.New(nc)
	}
}

// api returns the subject of the JetStream API for what follows its prefix.
func (s *session) api(format string, args ...any) string {
	prefix := jetstream.DefaultAPIPrefix
	switch o := s.js.Options(); {
	case o.APIPrefix != "":
		prefix = strings.TrimSuffix(o.APIPrefix, separator) + separator
	case o.Domain != "":
		prefix = "$JS." + o.Domain + ".API."
	}
	return prefix + fmt.Sprintf(format, args...)
}

// concerns reports whether err, which the server has sent without saying what
// it answers, is about something that the session has asked for. The server
// says nothing else in reply to a request that it does not permit.
func (s *session) concerns(err error) bool {
	d, ok := denied(err)
	if !ok {
		return false
	}
	if !d.publish {
		return strings.HasPrefix(d.subject, s.inbox)
	}
	if d.subject == s.api("STREAM.INFO.%s", s.stream) {
		return true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if strings.HasPrefix(d.subject, s.api("CONSUMER.DELETE.")) {
		return false // the server does it by itself, later
	}
	return s.consumer != "" && strings.Contains(d.subject+separator, separator+s.consumer+separator)
}

// failed classifies the failure of a request about the session's stream. That
// the stream is not there is permanent, unless it was: it will be created
// anew, or is to be waited for.
func (s *session) failed(ctx context.Context, what string, err error) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return context.Cause(ctx)
	}
	if errors.Is(err, jetstream.ErrStreamNotFound) && s.seen.Load() {
		return adapters.Transient(reasonGone, err)
	}
	return classify(fmt.Errorf("%s stream %s: %w", what, s.stream, err))
}
