package nats

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"strconv"
	"strings"

	natsgo "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"sidestream/adapters"
)

// Reasons that clients may see.
const (
	reasonLost        = "connection to NATS lost"
	reasonNone        = "no connection to NATS"
	reasonTimeout     = "NATS does not answer in time"
	reasonRefused     = "NATS refused the credentials"
	reasonExpired     = "credentials for NATS have expired"
	reasonForbidden   = "not permitted by NATS"
	reasonFull        = "NATS has reached a limit"
	reasonPlain       = "NATS server has no TLS"
	reasonTLS         = "TLS handshake with NATS failed"
	reasonNoResponder = "JetStream does not answer"
	reasonUnavailable = "JetStream is unavailable for the moment"
	reasonNoJetStream = "JetStream is not enabled"
	reasonNoStream    = "stream not found"
	reasonNoBucket    = "bucket not found"
	reasonNoConsumer  = "consumer is gone"
	reasonBadRequest  = "JetStream refused the request"
	reasonRetention   = "stream's retention is not by limits"
)

// Error codes of the JetStream API that the client library has no name for;
// the server's errors.json has.
const (
	codeInsufficientResources = 10023 // of a server
	codeMaximumConsumers      = 10026
	codeInsufficientStorage   = 10047
	codeNoLimitsYet           = 10120 // an account's limits are not known yet
)

// classify returns err, which comes from the client library, as the supervisor
// is to have it: what won't get better by itself is permanent, everything else
// transient, and either has a reason that clients may see. It leaves alone nil,
// what is classified already, and an error of a context that was cancelled.
func classify(err error) error {
	var known *adapters.UpstreamError
	if err == nil || errors.As(err, &known) || errors.Is(err, adapters.ErrPositionLost) || errors.Is(err, context.Canceled) {
		return err
	}
	for _, k := range kinds() {
		if errors.Is(err, k.is) {
			return &adapters.UpstreamError{Reason: k.reason, Permanent: k.permanent, Err: err}
		}
	}
	var api *jetstream.APIError
	if errors.As(err, &api) {
		return classifyAPI(api, err)
	}
	if failedTLS(err) {
		return adapters.Transient(reasonTLS, err)
	}
	return adapters.Transient(adapters.Reason(err), err)
}

// A kind is what an error means.
type kind struct {
	is        error
	reason    string
	permanent bool
}

// kinds are the errors of the client library that mean something of their own.
// Those of the JetStream API may match one by their code.
func kinds() []kind {
	return []kind{
		{natsgo.ErrAuthorization, reasonRefused, true},
		{natsgo.ErrAuthRevoked, reasonRefused, true},
		{natsgo.ErrAuthExpired, reasonExpired, true},
		{natsgo.ErrAccountAuthExpired, reasonExpired, true},
		{natsgo.ErrNkeysNotSupported, reasonRefused, true},
		{natsgo.ErrPermissionViolation, reasonForbidden, true},
		{natsgo.ErrSecureConnWanted, reasonPlain, true},

		{jetstream.ErrJetStreamNotEnabledForAccount, reasonNoJetStream, true},
		{jetstream.ErrJetStreamNotEnabled, reasonNoJetStream, true},
		{jetstream.ErrBucketNotFound, reasonNoBucket, true},
		{jetstream.ErrStreamNotFound, reasonNoStream, true},

		{jetstream.ErrConsumerNotFound, reasonNoConsumer, false},
		{jetstream.ErrConsumerDeleted, reasonNoConsumer, false},
		{jetstream.ErrConsumerDoesNotExist, reasonNoConsumer, false},
		{jetstream.ErrNoHeartbeat, reasonTimeout, false},
		{natsgo.ErrNoResponders, reasonNoResponder, false},

		{natsgo.ErrMaxConnectionsExceeded, reasonFull, false},
		{natsgo.ErrMaxAccountConnectionsExceeded, reasonFull, false},
		{natsgo.ErrMaxSubscriptionsExceeded, reasonFull, false},

		{natsgo.ErrTimeout, reasonTimeout, false},
		{context.DeadlineExceeded, reasonTimeout, false},
		{natsgo.ErrStaleConnection, reasonLost, false},
		{natsgo.ErrConnectionClosed, reasonLost, false},
		{natsgo.ErrDisconnected, reasonLost, false},
		{natsgo.ErrNoServers, reasonNone, false},
	}
}

// failedTLS reports whether a server doesn't want the client's certificate, or
// what it says isn't TLS. That the client doesn't want the server's, or waits in
// vain, are errors that have reasons of their own.
func failedTLS(err error) bool {
	var alert *net.OpError // what the other side says comes as a "remote error"
	if errors.As(err, &alert) && alert.Op == "remote error" {
		return true
	}
	var cert *tls.CertificateVerificationError
	var timeout net.Error
	return errors.Is(err, natsgo.ErrTLS) && !errors.As(err, &cert) && !(errors.As(err, &timeout) && timeout.Timeout())
}

// classifyAPI classifies an answer of the JetStream API.
func classifyAPI(api *jetstream.APIError, err error) error {
	switch {
	case api.ErrorCode == codeMaximumConsumers, api.ErrorCode == codeInsufficientResources, api.ErrorCode == codeInsufficientStorage, api.ErrorCode == codeNoLimitsYet:
		return adapters.Transient(reasonFull, err)
	case api.Code >= http.StatusBadRequest && api.Code < http.StatusInternalServerError:
		return adapters.Permanent(reasonBadRequest, err)
	default: // no leader, a restart, a disk
		return adapters.Transient(reasonUnavailable, err)
	}
}

// A denial is what a server does not permit.
type denial struct {
	publish bool   // or else to subscribe
	subject string // as it was asked for
	queue   string // of a subscription
}

// denied returns what err, a permission violation, is about. ok is false for
// every other error.
func denied(err error) (d denial, ok bool) {
	if !errors.Is(err, natsgo.ErrPermissionViolation) {
		return denial{}, false
	}
	text := err.Error()
	if _, after, found := strings.Cut(text, "Subscription to "); found {
		d.subject = unquote(after)
		if _, after, found = strings.Cut(after, "using queue "); found {
			d.queue = unquote(after)
		}
		return d, d.subject != ""
	}
	if _, after, found := strings.Cut(text, "Publish to "); found {
		d.publish, d.subject = true, unquote(after)
	}
	return d, d.subject != ""
}

// unquote returns the text of the quotation that s begins with.
func unquote(s string) string {
	quoted, err := strconv.QuotedPrefix(s)
	if err != nil {
		return ""
	}
	text, _ := strconv.Unquote(quoted) // what has quotes around it
	return text
}
