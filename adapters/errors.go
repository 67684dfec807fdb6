package adapters

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"os"
	"strconv"
	"syscall"
)

var (
	// ErrPositionLost matches every [PositionLostError].
	ErrPositionLost = errors.New("position is no longer available")

	// ErrBadVariable says that the value of a path or query variable can't
	// be used in an upstream's name.
	ErrBadVariable = errors.New("variable not usable upstream")
)

// A LostReason says why events can't be delivered. It is shown to clients.
type LostReason string

// The reasons for a gap.
const (
	LostExpired   LostReason = "expired"   // the upstream or the feed no longer holds the events
	LostRecreated LostReason = "recreated" // the position belongs to another incarnation of the upstream
	LostOverflow  LostReason = "overflow"  // a bound was reached before the events could be delivered
	LostInvalid   LostReason = "invalid"   // the event itself can't be written: too large, not text, not mappable
	LostUnknown   LostReason = "unknown"   // the position says nothing to the source
)

// A PositionLostError is returned by Run when it can't continue from the
// position it was given.
type PositionLostError struct {
	Reason LostReason

	// Resume is a position from which Run yields the oldest event that is
	// still available; empty if there is no telling, in which case delivery
	// goes on from the configured start.
	Resume Position

	// Lost is the number of events between the two, or negative if unknown.
	Lost int64
}

func (e *PositionLostError) Error() string {
	return ErrPositionLost.Error() + ": " + string(e.Reason)
}

// Is makes errors.Is(err, ErrPositionLost) true.
func (e *PositionLostError) Is(target error) bool { return target == ErrPositionLost }

// An UpstreamError is a failure of an upstream, classified.
type UpstreamError struct {
	// Reason is a short phrase for clients ("upstream answered 503"). It
	// must not hold addresses, credentials or payload.
	Reason string

	// Permanent says that trying again won't help until somebody changes
	// the configuration or the upstream.
	Permanent bool

	// Err is the cause, for logs. It may be nil.
	Err error
}

func (e *UpstreamError) Error() string {
	if e.Err == nil {
		return e.Reason
	}
	return e.Reason + ": " + e.Err.Error()
}

func (e *UpstreamError) Unwrap() error { return e.Err }

// A DeniedError is returned by Run when the upstream refuses the credentials
// that the source was opened with ([Env.Credentials]): they are of no use until
// the client brings others. A refusal of the configuration's own credentials
// is an ordinary failure.
type DeniedError struct {
	Status    int      // 401 or 403
	Challenge []string // values of WWW-Authenticate, for the client
}

func (e *DeniedError) Error() string {
	return "upstream refused the client's credentials with status " + strconv.Itoa(e.Status)
}

// Permanent returns an error that tells the supervisor not to try again.
func Permanent(reason string, err error) error {
	return &UpstreamError{Reason: reason, Permanent: true, Err: err}
}

// Transient returns an error that tells the supervisor to try again, with a
// reason that clients may see.
func Transient(reason string, err error) error {
	return &UpstreamError{Reason: reason, Err: err}
}

// IsPermanent reports whether err is a permanent failure of an upstream.
func IsPermanent(err error) bool {
	var u *UpstreamError
	return errors.As(err, &u) && u.Permanent
}

// Reason returns what a client may be told about err: the reason given by an
// [UpstreamError], or a general phrase that gives away no detail.
func Reason(err error) string {
	var (
		u    *UpstreamError
		dns  *net.DNSError
		cert *tls.CertificateVerificationError
		net  net.Error
	)
	switch {
	case errors.As(err, &u) && u.Reason != "":
		return u.Reason
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused"
	case errors.Is(err, syscall.ECONNRESET):
		return "connection reset"
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded),
		errors.As(err, &net) && net.Timeout():
		return "timeout"
	case errors.As(err, &cert):
		return "certificate not trusted"
	case errors.As(err, &dns):
		return "name not resolved"
	default:
		return "upstream failed"
	}
}
