package nats

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	natsgo "github.com/nats-io/nats.go"

	"sidestream/adapters"
)

// maxChannel bounds the messages that wait for a source of several subjects
// between the client library and the source's inbox.
const maxChannel = natsgo.DefaultMaxChanLen

// A coreSource delivers the messages of subjects as they are published.
type coreSource struct {
	*factory
	subjects []string
	env      adapters.Env
	way      way
}

func newCoreSource(f *factory, subjects []string, env adapters.Env) *coreSource {
	return &coreSource{factory: f, subjects: subjects, env: env, way: way{factory: f}}
}

// Run implements [adapters.Source].
func (s *coreSource) Run(ctx context.Context, after adapters.Position, emit func(adapters.Event) error) error {
	if after != "" { // core NATS has no positions
		return &adapters.PositionLostError{Reason: adapters.LostUnknown, Lost: -1}
	}
	c, err := s.way.conn(ctx)
	if err != nil {
		return err
	}
	sub := s.subscription(c)
	defer sub.end()
	if err := sub.begin(ctx); err != nil {
		return err
	}
	if err := emit(adapters.Event{Live: true}); err != nil {
		return err
	}
	return s.deliver(ctx, sub, emit)
}

// deliver emits what arrives until the subscription has failed. What has
// arrived until then is emitted first.
func (s *coreSource) deliver(ctx context.Context, sub *subscription, emit func(adapters.Event) error) error {
	for {
		failure := sub.failure() // before looking, so that nothing comes in between
		switch a, ok := sub.inbox.take(); {
		case ctx.Err() != nil:
			return ctx.Err()
		case ok:
			if err := emit(s.event(a)); err != nil {
				return err
			}
			continue
		case failure != nil:
			return failure
		}
		select {
		case <-sub.inbox.ready:
		case <-sub.failed:
		case <-sub.connection.lost:
		case <-ctx.Done():
		}
	}
}

func (s *coreSource) event(a arrival) adapters.Event {
	if a.msg == nil {
		return adapters.Event{Gap: &adapters.Gap{Reason: adapters.LostOverflow, Lost: a.lost}}
	}
	e := adapters.Event{Data: a.msg.Data, Key: a.msg.Subject} // the library makes both for each message
	if s.env.Meta {
		e.Headers = a.msg.Header
		e.Meta = map[string]any{"subject": a.msg.Subject}
	}
	return e
}

// A subscription is one run's, to all of its source's subjects.
type subscription struct {
	connection *connection
	subjects   []string
	queue      string
	timeout    time.Duration // for the server to confirm it
	inbox      *inbox

	confirmed atomic.Bool // the server has taken all of it

	failed  chan struct{} // closed when the server has refused it
	refused sync.Once     // closes failed
	why     error         // set before failed is closed

	mute func()                 // stops listening to the connection
	subs []*natsgo.Subscription // one for each subject
	done chan struct{}          // closed to end move
	gone sync.WaitGroup         // what puts messages into the inbox
}

func (s *coreSource) subscription(c *connection) *subscription {
	return &subscription{
		connection: c,
		subjects:   s.subjects,
		queue:      s.options.Queue,
		timeout:    time.Duration(s.options.Connection.ConnectTimeout),
		inbox:      newInbox(s.options.Pending),
		failed:     make(chan struct{}),
		done:       make(chan struct{}),
	}
}

// begin subscribes, and returns when the server has confirmed it.
func (s *subscription) begin(ctx context.Context) error {
	before := s.connection.LastError()
	s.mute = s.connection.listen(s.hear)
	if err := s.subscribe(); err != nil {
		return classify(err)
	}
	within, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	err := s.connection.FlushWithContext(within)
	// The server answers in order: a refusal has come by now, but listeners
	// hear of it a moment later.
	if last := s.connection.LastError(); last != nil && last != before { //nolint:errorlint // the question is whether it is a new one
		s.hear(last)
	}
	s.confirmed.Store(true)
	switch failure := s.failure(); {
	case ctx.Err() != nil:
		return ctx.Err()
	case failure != nil:
		return failure
	default:
		return classify(err)
	}
}

// end unsubscribes, and returns when nothing puts messages into the inbox any
// more.
func (s *subscription) end() {
	for _, sub := range s.subs {
		_ = sub.Unsubscribe() // fails if the connection is closed, and all is gone with it
	}
	close(s.done)
	s.gone.Wait()
	s.mute()
}

// subscribe has the client library subscribe.
//
// With one subject, it calls put from a goroutine of the subscription's own,
// and what waits for that goroutine needs no bound, as put never waits. With
// several, each would have its goroutine, and the order between subjects would
// be lost; so they share a channel, which the library fills in the order in
// which messages come.
func (s *subscription) subscribe() error {
	if len(s.subjects) == 1 {
		sub, err := s.connection.QueueSubscribe(s.subjects[0], s.queue, s.inbox.put)
		if err != nil {
			return err
		}
		s.subs = append(s.subs, sub)
		ended := make(chan struct{})
		sub.SetClosedHandler(func(string) { close(ended) })
		s.gone.Go(func() {
			select {
			case <-ended:
			case <-s.connection.lost: // maybe before there was a handler
			}
		})
		return sub.SetPendingLimits(-1, -1)
	}
	messages := make(chan *natsgo.Msg, maxChannel)
	for _, subject := range s.subjects {
		sub, err := s.connection.ChanQueueSubscribe(subject, s.queue, messages)
		if err != nil {
			return err
		}
		s.subs = append(s.subs, sub)
	}
	s.gone.Go(func() { s.move(messages) })
	return nil
}

// move puts messages into the inbox until the subscription ends.
//
// If the channel was full, what is missing comes after the messages that were
// in it then, of which some may have been moved since. It is announced before
// the others: too early rather than too late.
func (s *subscription) move(messages <-chan *natsgo.Msg) {
	var known int64
	for {
		select {
		case m := <-messages:
			if n := s.dropped(); n > known {
				s.inbox.lose(n - known)
				known = n
			}
			s.inbox.put(m)
		case <-s.done:
			return
		}
	}
}

// dropped returns how many messages the client library has dropped since the
// channel was full. A message that comes after one that was dropped finds it
// counted.
func (s *subscription) dropped() int64 {
	var sum int64
	for _, sub := range s.subs {
		if n, err := sub.Dropped(); err == nil {
			sum += int64(n)
		}
	}
	return sum
}

// hear takes an error of the connection, which may be about the subscription.
func (s *subscription) hear(err error) {
	d, ok := denied(err)
	switch {
	case ok && !d.publish && d.queue == s.queue && slices.Contains(s.subjects, d.subject):
	case errors.Is(err, natsgo.ErrMaxSubscriptionsExceeded) && !s.confirmed.Load(): // whose it is, isn't said
	default:
		return
	}
	s.refused.Do(func() {
		s.why = classify(err)
		close(s.failed)
	})
}

// failure returns why nothing more will arrive, or nil.
func (s *subscription) failure() error {
	select {
	case <-s.failed:
		return s.why
	default:
	}
	if s.connection.isLost() {
		return s.connection.cause()
	}
	return nil
}

// sizeOf returns what a message takes, in bytes.
func sizeOf(msg *natsgo.Msg) adapters.Size { return adapters.Size(msg.Size()) }
