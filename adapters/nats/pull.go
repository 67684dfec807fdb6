package nats

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	natsgo "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"sidestream/adapters"
)

const (
	// beatInterval is how often the server has to say that a request for
	// messages is still known to it, while it has none, and silence is after
	// how long without a word it is taken for dead, or the consumer for gone.
	beatInterval = 2 * time.Second
	silence      = 5 * time.Second

	// requestExpiry is how long a request for messages stands.
	requestExpiry = 5 * time.Minute

	// statusRoom is the number of the server's words that fit beside the
	// messages asked for: heartbeats while a Run is held up, above all.
	statusRoom = 512
)

// A puller fetches the messages of a consumer, somewhat ahead of their use.
// The library's own iterators hide what this is about: how far the consumer
// has come in the stream (the heartbeats say), and that something was missed
// (they go on by themselves after a pause).
//
// At most Bound's messages and bytes are asked for and not yet delivered. A
// message that is larger than all of Bound.Bytes is asked for alone, when
// nothing else is.
type puller struct {
	conn    *natsgo.Conn
	sub     *natsgo.Subscription
	subject string // to which requests go
	in      chan *natsgo.Msg
	taken   uint64 // what was taken from in, messages or not
	bound   Bound
	expires time.Duration

	// What the server has yet to deliver or to give back, of all requests. Of
	// a request whose bytes are used up exactly it doesn't give back the
	// messages; with no bytes left there are none.
	messages, bytes int

	// A message that didn't fit what was left of a request has to wait until
	// all requests have ended: the next one is for as much as may be.
	drain  bool
	alone  bool // it is for one message of any size, since that didn't do
	single bool // that request stands

	// starved says that the server was, for a moment, asked for nothing,
	// although this was not while a Run waited. Whoever reads it resets it.
	starved bool
	expired bool // the last request stood for as long as it could, and was waited for
	timer   *time.Timer
}

// pull returns what fetches the messages of c. The caller has to call stop.
func (s *session) pull(c *consumer, bound Bound) (*puller, error) {
	if c.batch > 0 {
		bound.Messages = min(bound.Messages, c.batch)
	}
	if c.bytes > 0 {
		bound.Bytes = min(bound.Bytes, adapters.Size(c.bytes))
	}
	expires := requestExpiry
	if c.expires > 0 {
		expires = min(expires, c.expires)
	}
	p := &puller{
		conn:    s.conn.Conn,
		subject: s.api("CONSUMER.MSG.NEXT.%s.%s", s.stream, c.name),
		in:      make(chan *natsgo.Msg, bound.Messages+statusRoom),
		bound:   bound,
		expires: expires,
		timer:   time.NewTimer(silence),
	}
	var err error
	if p.sub, err = p.conn.ChanSubscribe(p.conn.NewInbox(), p.in); err != nil {
		p.timer.Stop()
		return nil, classify(fmt.Errorf("subscribe to answers: %w", err))
	}
	return p, nil
}

// stop ends fetching. Nothing of the puller is left then.
func (p *puller) stop() {
	p.timer.Stop()
	_ = p.sub.Unsubscribe() // fails if the connection is closed, which is as good
}

// A beat is the server's word on how far a consumer is that has nothing more
// to deliver.
type beat struct {
	delivered uint64 // messages that it has delivered
	at        uint64 // the sequence up to which it has looked at the stream
}

// next returns the next message, or else a beat: everything before it was
// delivered. Errors are classified, or the cause of ctx's end.
func (p *puller) next(ctx context.Context) (m *natsgo.Msg, b beat, err error) {
	for {
		if err := p.ask(); err != nil {
			return nil, b, err
		}
		waited := false
		select {
		case m = <-p.in:
		default:
			waited = true
			if m, err = p.wait(ctx); err != nil {
				return nil, b, err
			}
		}
		p.taken++
		if m.Subject != p.sub.Subject {
			p.take(m)
			return m, b, nil
		}
		status := m.Header.Get(headerStatus)
		if status == statusBeat {
			b.delivered, _ = strconv.ParseUint(m.Header.Get("Nats-Last-Consumer"), 10, 64)
			b.at, _ = strconv.ParseUint(m.Header.Get("Nats-Last-Stream"), 10, 64)
			return nil, b, nil
		}
		p.expired = waited && status == statusTimeout
		if err := p.settle(status, m); err != nil {
			return nil, b, err
		}
	}
}

// wait returns the next that the server sends.
func (p *puller) wait(ctx context.Context) (*natsgo.Msg, error) {
	p.timer.Reset(silence)
	select {
	case m := <-p.in:
		return m, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case <-p.timer.C:
		return nil, classify(fmt.Errorf("nothing heard for %v: %w", silence, jetstream.ErrNoHeartbeat))
	}
}

// take accounts for a message.
func (p *puller) take(m *natsgo.Msg) {
	if p.single {
		p.messages, p.bytes, p.single = 0, 0, false
		return
	}
	p.messages--
	p.bytes -= m.Size()
}

// request is what the server is asked for (JSApiConsumerGetNextRequest).
type request struct {
	Batch    int           `json:"batch"`
	MaxBytes int           `json:"max_bytes,omitempty"`
	Expires  time.Duration `json:"expires"`
	Beat     time.Duration `json:"idle_heartbeat"`
}

// ask asks for more once half of what may be asked for has come.
func (p *puller) ask() error {
	if p.bytes <= 0 || p.messages <= 0 {
		p.messages, p.bytes = 0, 0
		p.starved = p.starved || !p.expired
	}
	p.expired = false
	most := int(p.bound.Bytes)
	if p.messages > 0 && (p.single || p.drain || p.messages > p.bound.Messages/2 && p.bytes > most/2) {
		return nil
	}
	p.drain = false
	r := request{Batch: p.bound.Messages - p.messages, MaxBytes: most - p.bytes, Expires: p.expires, Beat: min(beatInterval, p.expires/2)}
	switch {
	case p.alone:
		p.alone, p.single = false, true
		p.messages, p.bytes = 1, 1 // until it comes
		r.Batch, r.MaxBytes = 1, 0
	case r.Batch < 1 || r.MaxBytes < 1:
		return nil
	default:
		p.messages += r.Batch
		p.bytes += r.MaxBytes
	}
	text, err := json.Marshal(r)
	if err != nil {
		return err
	}
	if err := p.conn.PublishRequest(p.subject, p.sub.Subject, text); err != nil {
		return classify(fmt.Errorf("ask for messages: %w", err))
	}
	return nil
}

// Headers of the server's words on a request, and their statuses.
const (
	headerStatus      = "Status"
	headerDescription = "Description"

	statusBeat    = "100"
	statusNone    = "404"
	statusTimeout = "408"
	statusEnded   = "409"
	statusNobody  = "503"
)

// settle accounts for the end of a request, as far as that is no failure.
func (p *puller) settle(status string, m *natsgo.Msg) error {
	description := m.Header.Get(headerDescription)
	told := fmt.Errorf("request for messages: %s %s", status, description)
	tooLarge := false
	switch status {
	case statusTimeout, statusNone:
	case statusEnded:
		switch text := strings.ToLower(description); {
		case strings.Contains(text, "maxbytes"):
			tooLarge = true
		case strings.Contains(text, "batch completed"):
		case strings.Contains(text, "consumer deleted"):
			return adapters.Transient(reasonNoConsumer, told)
		case strings.Contains(text, "shutdown"), strings.Contains(text, "leadership"):
			return adapters.Transient(reasonUnavailable, told)
		default:
			return adapters.Transient(reasonBadRequest, told)
		}
	case statusNobody:
		return adapters.Transient(reasonNoConsumer, told) // nobody listens to requests for it
	default:
		return adapters.Transient(reasonBadRequest, told)
	}
	messages, _ := strconv.Atoi(m.Header.Get("Nats-Pending-Messages"))
	bytes, _ := strconv.Atoi(m.Header.Get("Nats-Pending-Bytes"))
	if p.single {
		p.messages, p.bytes, p.single, p.alone = 0, 0, false, true // ask again
		return nil
	}
	p.messages -= messages
	p.bytes -= bytes
	p.drain = p.drain || tooLarge
	p.alone = tooLarge && bytes == int(p.bound.Bytes) // which nothing had come of
	return nil
}
