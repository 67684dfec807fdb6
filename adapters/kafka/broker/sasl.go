package broker

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"

	"sidestream/adapters"
)

// maxSteps bounds how often a broker may ask for more.
const maxSteps = 8

// A session is what a broker knows of who is at the other end of a link.
type session struct {
	options *SASL
	renew   time.Time // when to authenticate again; zero: never
}

// due reports whether the session is to be renewed before the next request.
// A broker closes the connection on a request that comes after the end of the
// session, and takes another authentication until then (KIP-368).
func (s *session) due() bool { return !s.renew.IsZero() && time.Now().After(s.renew) }

// begin notes that a session of this length has begun; 0: it has no end.
func (s *session) begin(lifetime time.Duration) {
	s.renew = time.Time{}
	if lifetime > 0 {
		// Not all connections at once, and early enough for the exchanges
		// and for clocks that differ.
		share := 0.8 + 0.1*rand.Float64()
		s.renew = time.Now().Add(time.Duration(share * float64(lifetime)))
	}
}

// authenticate begins a session, or renews it, within the given time. A failure
// is classified, unless ctx is done: then it is ctx's.
func (l *link) authenticate(ctx context.Context, timeout time.Duration) error {
	limited, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	err := l.converse(limited, timeout)
	if err == nil {
		return nil
	}
	l.broken = true
	if ctx.Err() != nil {
		return fmt.Errorf("authenticate: %w", ctx.Err())
	}
	return within("authenticate", err)
}

// converse does the exchanges of an authentication.
func (l *link) converse(ctx context.Context, timeout time.Duration) error {
	m, err := l.session.options.mechanism(ctx)
	if err != nil {
		return err
	}
	handshake := handshakeExchange{mechanism: m.Name()}
	if err := l.do(ctx, &handshake, timeout); err != nil {
		return err
	}
	if handshake.err != nil {
		return handshake.refusal()
	}
	state, response, err := m.Start(ctx)
	if err != nil {
		return err
	}
	for range maxSteps {
		step := authenticateExchange{response: response}
		switch err := l.do(ctx, &step, timeout); {
		case isLost(err): // which is how some brokers refuse
			return adapters.Transient(reasonHangup, err)
		case err != nil:
			return err
		case step.err != nil:
			return l.session.options.refusal(step.err)
		}
		var done bool
		if done, response, err = state.Next(ctx, step.challenge); err != nil {
			return err
		}
		if done {
			l.session.begin(step.lifetime)
			return nil
		}
	}
	return adapters.Transient(reasonMalformed, errEndless)
}

var errEndless = errors.New("the broker asks for more and more")

// refusal returns what it means that a broker doesn't take the credentials.
func (s *SASL) refusal(err error) error {
	if !errors.Is(err, kafka.SASLAuthenticationFailed) {
		return Classify(err)
	}
	return &adapters.UpstreamError{Reason: reasonRefused, Permanent: !s.replaceable(), Err: err}
}

// replaceable reports whether other credentials may be used next time.
func (s *SASL) replaceable() bool { return s.Replaceable || s.Mechanism == OAuthBearer }

// A handshakeExchange says which mechanism is to be used.
type handshakeExchange struct {
	mechanism string

	err     error    // a [kafka.Error]
	offered []string // the mechanisms that the broker takes
}

func (*handshakeExchange) form() form {
	return form{key: protocol.SaslHandshake, versions: []span{{1, 1}}} // after v0, tokens would go without frames of their own
}

func (x *handshakeExchange) encode(e *encoder, _ int16) { e.string(x.mechanism) }

func (x *handshakeExchange) decode(d *decoder, _ int16) {
	x.err = d.code()
	for n := d.count(2); n > 0; n-- {
		x.offered = append(x.offered, d.string())
	}
}

// refusal returns what x.err means.
func (x *handshakeExchange) refusal() error {
	switch {
	case errors.Is(x.err, kafka.UnsupportedSASLMechanism):
		return adapters.Permanent(reasonMechanism, fmt.Errorf("%s: %w; it takes %q", x.mechanism, x.err, x.offered))
	case errors.Is(x.err, kafka.IllegalSASLState):
		return adapters.Permanent(reasonNoSASL, x.err)
	default:
		return Classify(x.err)
	}
}

// An authenticateExchange carries one message of a mechanism to the broker, and
// one back.
type authenticateExchange struct {
	response []byte // to the broker's last challenge

	err       error // a [kafka.Error]; the text that comes with it may quote what was sent, and is left out
	challenge []byte
	lifetime  time.Duration // of the session; 0: it has no end
}

func (*authenticateExchange) form() form {
	return form{key: protocol.SaslAuthenticate, versions: []span{{0, 1}}}
}

func (x *authenticateExchange) encode(e *encoder, _ int16) { e.bytes(x.response) }

func (x *authenticateExchange) decode(d *decoder, version int16) {
	x.err = d.code()
	d.string()
	x.challenge = d.bytes()
	if version >= 1 {
		x.lifetime = time.Duration(min(d.int64(), maxLifetime)) * time.Millisecond
	}
}

// maxLifetime is a length of sessions that is as good as any longer one, in ms.
const maxLifetime = int64(24 * time.Hour / time.Millisecond)
