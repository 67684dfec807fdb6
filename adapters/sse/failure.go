package sse

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"strconv"
	"strings"
	"syscall"

	"sidestream/adapters"
)

// How a response may end that is no failure.
var (
	errAgain = errors.New("the response has ended")
	errOver  = errors.New("the stream has ended for good")
)

// What can be wrong with a response. Each is a reason that clients may see.
var (
	errNoAnswer = errors.New("upstream does not answer")
	errSilent   = errors.New("upstream is silent")
	errEmpty    = errors.New("upstream closed the stream at once")
	errCoded    = errors.New("upstream compresses its stream")
)

// A statusError is a status that comes with no stream.
type statusError int

func (e statusError) Error() string { return "upstream answered " + strconv.Itoa(int(e)) }

// A typeError is a response of another type; typ is empty if it has none.
type typeError struct{ typ string }

// reasonType is what clients are told of a typeError.
const reasonType = "upstream's answer is no event stream"

func (e *typeError) Error() string {
	const longest = 100
	is := "another one"
	if e.typ == "" {
		is = "missing"
	} else if typ, _, err := mime.ParseMediaType(e.typ); err == nil && len(typ) <= longest && strings.Contains(typ, "/") {
		is = typ
	}
	return fmt.Sprintf("%s: its content type is %s, and has to be %s", reasonType, is, streamType)
}

// A brokenError is a response that breaks off.
type brokenError struct{ err error }

func (e *brokenError) Error() string { return "the stream broke off: " + e.err.Error() }
func (e *brokenError) Unwrap() error { return e.err }

// failed returns err as the supervisor is to have it, with a reason for
// clients, and for logs where was asked. The path is left out, since some
// servers take their secrets there; the route says which it is.
func (s *source) failed(err error) error {
	if denied, ok := errors.AsType[*adapters.DeniedError](err); ok {
		return denied
	}
	cause := fmt.Errorf("GET %s: %w", s.target.Origin(), adapters.Quoteless(err))
	_, mistyped := errors.AsType[*typeError](err)
	switch {
	case mistyped:
		return adapters.Permanent(reasonType, cause)
	case errors.Is(err, errCoded):
		return adapters.Permanent(errCoded.Error(), cause)
	default:
		return adapters.Transient(reason(err), cause)
	}
}

func reason(err error) string {
	for _, known := range []error{errNoAnswer, errSilent, errEmpty} {
		if errors.Is(err, known) {
			return known.Error()
		}
	}
	if status, ok := errors.AsType[statusError](err); ok {
		return status.Error()
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return "upstream broke off its stream"
	}
	return adapters.Reason(err)
}

// outcome returns the word by which it is counted that there was no answer,
// or none that could be used.
func outcome(err error) string {
	_, mistyped := errors.AsType[*typeError](err)
	_, broken := errors.AsType[*brokenError](err)
	var network net.Error
	switch {
	case mistyped:
		return "type"
	case errors.Is(err, errCoded):
		return "coded"
	case errors.Is(err, errSilent):
		return "silent"
	case errors.Is(err, errEmpty):
		return "empty"
	case broken:
		return "broken"
	case errors.Is(err, errNoAnswer), errors.Is(err, context.DeadlineExceeded), errors.As(err, &network) && network.Timeout():
		return "timeout"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "refused"
	default:
		return "error"
	}
}
