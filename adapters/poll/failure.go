package poll

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"syscall"

	"sidestream/adapters"
)

// What can be wrong with an answer. Each is a reason that clients may see.
var (
	errTooLarge   = errors.New("upstream's answer is too large")
	errUnreadable = errors.New("upstream sent an unreadable body")
	errElsewhere  = errors.New("upstream redirected elsewhere")
	errRedirects  = errors.New("upstream redirected too often")
)

// A statusError is a status that carries no state.
type statusError int

// errGone ends a stream for good.
const errGone = statusError(http.StatusGone)

func (e statusError) Error() string { return "upstream answered " + strconv.Itoa(int(e)) }

// failed returns err as the supervisor is to have it: transient, with a
// reason for clients, and for logs where was polled. The path is left out,
// since some APIs take their secrets there; the route says which it is.
func (s *source) failed(err error) error {
	return adapters.Transient(reason(err), fmt.Errorf("GET %s://%s: %w",
		s.target.Scheme, s.target.Host, adapters.Quoteless(err)))
}

func reason(err error) string {
	var status statusError
	if errors.As(err, &status) {
		return status.Error()
	}
	for _, known := range []error{errTooLarge, errUnreadable, errElsewhere, errRedirects} {
		if errors.Is(err, known) {
			return known.Error()
		}
	}
	return adapters.Reason(err)
}

// outcome returns the word by which a poll is counted.
func outcome(status int, err error) string {
	var wrong statusError
	switch {
	case err == nil:
		return strconv.Itoa(status)
	case errors.As(err, &wrong):
		return strconv.Itoa(int(wrong))
	case errors.Is(err, errTooLarge):
		return "too_large"
	case errors.Is(err, errUnreadable):
		return "unreadable"
	case isTimeout(err):
		return "timeout"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "refused"
	default:
		return "error"
	}
}

func isTimeout(err error) bool {
	var network net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &network) && network.Timeout()
}
