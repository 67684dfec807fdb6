package nats

import (
	"context"
	"errors"
	"fmt"
	"io"
	"syscall"
	"testing"

	natsgo "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"sidestream/adapters"
)

func TestClassify(t *testing.T) {
	api := func(code int, number jetstream.ErrorCode) error {
		return &jetstream.APIError{Code: code, ErrorCode: number, Description: "text of the server"}
	}
	for _, c := range []struct {
		err       error
		reason    string
		permanent bool
	}{
		{natsgo.ErrAuthorization, reasonRefused, true},
		{natsgo.ErrAuthExpired, reasonExpired, true},
		{natsgo.ErrPermissionViolation, reasonForbidden, true},
		{natsgo.ErrSecureConnWanted, reasonPlain, true},
		{jetstream.ErrStreamNotFound, reasonNoStream, true},
		{jetstream.ErrBucketNotFound, reasonNoBucket, true},
		{jetstream.ErrJetStreamNotEnabled, reasonNoJetStream, true},
		{jetstream.ErrJetStreamNotEnabledForAccount, reasonNoJetStream, true},
		{api(404, jetstream.JSErrCodeStreamNotFound), reasonNoStream, true},
		{api(503, jetstream.JSErrCodeJetStreamNotEnabledForAccount), reasonNoJetStream, true},
		{api(404, jetstream.JSErrCodeConsumerNotFound), reasonNoConsumer, false},
		{api(400, jetstream.JSErrCodeConsumerCreate), reasonBadRequest, true},
		{api(400, codeMaximumConsumers), reasonFull, false},
		{api(503, 10008), reasonUnavailable, false},
		{api(500, 10074), reasonUnavailable, false},
		{jetstream.ErrConsumerDeleted, reasonNoConsumer, false},
		{jetstream.ErrNoHeartbeat, reasonTimeout, false},
		{natsgo.ErrNoResponders, reasonNoResponder, false},
		{natsgo.ErrTimeout, reasonTimeout, false},
		{context.DeadlineExceeded, reasonTimeout, false},
		{natsgo.ErrConnectionClosed, reasonLost, false},
		{natsgo.ErrDisconnected, reasonLost, false},
		{natsgo.ErrStaleConnection, reasonLost, false},
		{natsgo.ErrMaxSubscriptionsExceeded, reasonFull, false},
		{natsgo.ErrMaxConnectionsExceeded, reasonFull, false},
		{syscall.ECONNREFUSED, "connection refused", false},
		{io.ErrUnexpectedEOF, "upstream failed", false},
	} {
		for _, err := range []error{c.err, fmt.Errorf("create consumer: %w", c.err)} {
			got := classify(err)
			if adapters.Reason(got) != c.reason || adapters.IsPermanent(got) != c.permanent || !errors.Is(got, c.err) {
				t.Errorf("classify(%v): got %v, reason %q, permanent %v; want %q, %v", err, got, adapters.Reason(got), adapters.IsPermanent(got), c.reason, c.permanent)
			}
		}
	}
}

// TestClassifyKeeps: what says enough already is left alone.
func TestClassifyKeeps(t *testing.T) {
	for _, err := range []error{
		nil,
		adapters.Transient("known", natsgo.ErrAuthorization),
		&adapters.PositionLostError{Reason: adapters.LostExpired},
		context.Canceled,
	} {
		if got := classify(err); got != err { //nolint:errorlint // the very same
			t.Errorf("classify(%v): got %v, want it as it is", err, got)
		}
	}
}

func TestDenied(t *testing.T) {
	for _, c := range []struct {
		text string
		want denial
		ok   bool
	}{
		{`Permissions Violation for Subscription to "orders.>"`, denial{subject: "orders.>"}, true},
		{`Permissions Violation for Subscription to "orders.>" (sid "7")`, denial{subject: "orders.>"}, true},
		{`Permissions Violation for Subscription to "a" using queue "q r"`, denial{subject: "a", queue: "q r"}, true},
		{`Permissions Violation for Subscription to "a" using queue "q" (sid "7")`, denial{subject: "a", queue: "q"}, true},
		{`Permissions Violation for Subscription to "a.b.c", too many tokens`, denial{subject: "a.b.c"}, true},
		{`Permissions Violation for Subscription to "\u00fc\"x"`, denial{subject: "ü\"x"}, true},
		{`Permissions Violation for Publish to "$JS.API.INFO"`, denial{publish: true, subject: "$JS.API.INFO"}, true},
		{`Permissions Violation for Publish with Reply of "x"`, denial{}, false},
		{`Permissions Violation for Subscription to nothing`, denial{}, false},
	} {
		got, ok := denied(fmt.Errorf("%w: %s", natsgo.ErrPermissionViolation, c.text))
		if ok != c.ok || ok && got != c.want {
			t.Errorf("denied(%s): got %+v, %v; want %+v, %v", c.text, got, ok, c.want, c.ok)
		}
	}
	if _, ok := denied(errors.New(`Permissions Violation for Publish to "a"`)); ok {
		t.Error("got a denial of another error, want none")
	}
}
