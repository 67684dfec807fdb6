package broker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"

	"github.com/segmentio/kafka-go"

	"sidestream/adapters"
)

// Reasons that clients may see.
const (
	reasonNone        = "no Kafka broker can be reached"
	reasonLost        = "connection to Kafka lost"
	reasonTimeout     = "Kafka does not answer in time"
	reasonNotKafka    = "not a Kafka broker"
	reasonMalformed   = "Kafka's answer is malformed"
	reasonTooLarge    = "Kafka's answer is too large"
	reasonVersion     = "Kafka does not offer a version of the protocol that is known"
	reasonWantsTLS    = "Kafka wants TLS"
	reasonTLS         = "TLS handshake with Kafka failed"
	reasonRefused     = "Kafka refused the credentials"
	reasonHangup      = "Kafka closed the connection during authentication"
	reasonMechanism   = "Kafka does not take this SASL mechanism"
	reasonNoSASL      = "Kafka does not ask for credentials"
	reasonImpostor    = "Kafka did not prove that it knows the password"
	reasonForbidden   = "not permitted by Kafka"
	reasonTopicName   = "not a name of a Kafka topic"
	reasonNoTopic     = "topic not found"
	reasonUnavailable = "Kafka is unavailable for the moment"
	reasonRejected    = "Kafka rejected the request"
)

// Classify returns err as the supervisor is to have it if it is a
// [kafka.Error] that concerns a whole request: missing permissions, an invalid
// topic name and an unsupported version won't get better by themselves and are
// permanent, everything else is transient. That a topic or partition is
// unknown is transient too; a caller that knows better judges it first. Errors
// of other kinds, and nil, are returned as they are.
func Classify(err error) error {
	var known *adapters.UpstreamError
	var code kafka.Error
	if errors.As(err, &known) || !errors.As(err, &code) {
		return err
	}
	switch code {
	case kafka.TopicAuthorizationFailed, kafka.ClusterAuthorizationFailed:
		return adapters.Permanent(reasonForbidden, err)
	case kafka.UnsupportedVersion:
		return adapters.Permanent(reasonVersion, err)
	case kafka.InvalidTopic:
		return adapters.Permanent(reasonTopicName, err)
	case kafka.UnknownTopicOrPartition, kafka.UnknownTopicID:
		return adapters.Transient(reasonNoTopic, err)
	default:
		if code.Temporary() || code.Timeout() {
			return adapters.Transient(reasonUnavailable, err)
		}
		return adapters.Transient(reasonRejected, err)
	}
}

var errWantsTLS = errors.New("it answered with an alert of TLS")

// A tooLargeError says that an answer was not read, because of its length.
type tooLargeError struct{ size, limit int } // in bytes

func (e *tooLargeError) Error() string {
	return fmt.Sprintf("the answer has %d bytes, which is more than %d", e.size, e.limit)
}

// classify returns a failure of a connection as the supervisor is to have it.
// What is classified already stays as it is.
func classify(err error) error {
	var (
		known   *adapters.UpstreamError
		large   *tooLargeError
		timeout net.Error
		op      *net.OpError
	)
	switch {
	case errors.As(err, &known):
		return err
	case errors.Is(err, errWantsTLS):
		return adapters.Transient(reasonWantsTLS, err)
	case errors.As(err, &large): // a batch, most likely, which won't shrink
		return adapters.Permanent(reasonTooLarge, err)
	case errors.Is(err, errMalformed):
		return adapters.Transient(reasonMalformed, err)
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded),
		errors.As(err, &timeout) && timeout.Timeout():
		return adapters.Transient(reasonTimeout, err)
	case isLost(err):
		return adapters.Transient(reasonLost, err)
	case errors.As(err, &op) && op.Op == "remote error": // an alert, such as that it doesn't like the certificate
		return adapters.Transient(reasonTLS, err)
	default:
		return adapters.Transient(adapters.Reason(err), err)
	}
}

// within returns err, classified, as what became of something.
func within(what string, err error) error {
	u := new(adapters.UpstreamError)
	errors.As(classify(err), &u)
	cause := errors.New(what)
	if u.Err != nil {
		cause = fmt.Errorf("%s: %w", what, u.Err)
	}
	return &adapters.UpstreamError{Reason: u.Reason, Permanent: u.Permanent, Err: cause}
}

// isLost reports whether a connection that had been made is no more.
func isLost(err error) bool {
	return !isUnreachable(err) && (errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNABORTED))
}

// isUnreachable reports whether no connection could be made at all.
func isUnreachable(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}
