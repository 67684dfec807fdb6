package poll

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"syscall"

	"sidestream/adapters"
	"sidestream/adapters/httpclient"
	"sidestream/adapters/poll/pace"
	"sidestream/adapters/poll/payload"
)

// What can be wrong with an answer. Each is a reason that clients may see.
var (
	errExpression    = errors.New("an expression can't be applied to the upstream's answer")
	errCursor        = errors.New("upstream's cursor can't be used")
	errPageElsewhere = errors.New("upstream's next page is elsewhere")
	errPageLoop      = errors.New("upstream's pages go in a circle")
	errManyPages     = errors.New("upstream has more pages than are asked for")
	errDown          = errors.New("upstream does not answer")
	errPaused        = errors.New("upstream asks to wait")
)

// reasons are the errors whose text clients may see.
func reasons() []error {
	return []error{
		errExpression, errCursor, errPageElsewhere, errPageLoop, errManyPages, errDown, errPaused,
		payload.ErrTooLarge, payload.ErrUnreadable, httpclient.ErrElsewhere, httpclient.ErrRedirects,
	}
}

// A statusError is a status that carries no state.
type statusError int

// errGone ends a stream for good.
const errGone = statusError(http.StatusGone)

func (e statusError) Error() string { return "upstream answered " + strconv.Itoa(int(e)) }

// failed returns err as the supervisor is to have it: transient, with a
// reason for clients, and for logs where was polled. The path is left out,
// since some APIs take their secrets there; the route says which it is.
func (p *poller) failed(err error) error {
	var denied *adapters.DeniedError
	if errors.As(err, &denied) {
		return denied
	}
	return adapters.Transient(reason(err), fmt.Errorf("%s %s: %w", p.options.Method, p.target.origin(), adapters.Quoteless(err)))
}

func reason(err error) string {
	var status statusError
	if errors.As(err, &status) {
		return status.Error()
	}
	for _, known := range reasons() {
		if errors.Is(err, known) {
			return known.Error()
		}
	}
	return adapters.Reason(err)
}

// outcome returns the word by which a poll is counted.
func outcome(status int, err error) string {
	var wrong statusError
	var denied *adapters.DeniedError
	switch {
	case err == nil:
		return strconv.Itoa(status)
	case errors.As(err, &denied):
		return strconv.Itoa(denied.Status)
	case errors.As(err, &wrong):
		return strconv.Itoa(int(wrong))
	case errors.Is(err, payload.ErrTooLarge):
		return "too_large"
	case errors.Is(err, payload.ErrUnreadable):
		return "unreadable"
	case errors.Is(err, errPageElsewhere), errors.Is(err, errPageLoop), errors.Is(err, errManyPages):
		return "pages"
	case errors.Is(err, errExpression):
		return "expression"
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

// limited reports whether a 403 is about the number of requests, rather than
// about who made them.
func limited(a *answer) bool {
	advice := pace.Advise(a.status, a.header, a.received)
	return a.status == http.StatusForbidden && advice.All
}

// pathOf returns the path of a URL, escaped.
func pathOf(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return ""
	}
	return u.EscapedPath()
}
