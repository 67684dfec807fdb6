package webhook

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strconv"
	"time"

	"github.com/rs/zerolog"

	"sidestream/adapters"
	"sidestream/adapters/webhook/verify"
)

// How long a sender is told to wait before it sends the same request again.
const (
	retryBusy        = time.Second
	retryUnavailable = 5 * time.Second
)

// A refusal is why a request is not answered with success, as its sender is
// told.
type refusal struct {
	status  int
	message string
	header  http.Header
	cause   error // for logs; may be nil
}

func (r *refusal) Error() string { return r.message }

func (r *refusal) Unwrap() error { return r.cause }

// refuse returns a refusal with a formatted message.
func refuse(status int, format string, args ...any) *refusal {
	return &refusal{status: status, message: fmt.Sprintf(format, args...), header: make(http.Header)}
}

// with adds headers to the answer.
func (r *refusal) with(name string, values ...string) *refusal {
	r.header[http.CanonicalHeaderKey(name)] = values
	return r
}

// because notes the cause.
func (r *refusal) because(err error) *refusal {
	r.cause = err
	return r
}

// hangUp has the connection closed, since what is still to come of the request
// won't be read.
func (r *refusal) hangUp() *refusal { return r.with("Connection", "close") }

// busy is the refusal of what finds no room.
func busy() *refusal {
	return refuse(http.StatusTooManyRequests, "too many events are waiting; send it again later").
		with("Retry-After", seconds(retryBusy))
}

// unavailable is the refusal of what may be fine, but can't be taken now.
func unavailable(message string, cause error) *refusal {
	return refuse(http.StatusServiceUnavailable, "%s; send it again later", message).
		with("Retry-After", seconds(retryUnavailable)).because(cause)
}

func seconds(d time.Duration) string { return strconv.Itoa(int(d / time.Second)) }

// unverified returns the refusal of a request that the verifier has refused, or
// could not judge. It doesn't say what was wrong.
func unverified(err error) *refusal {
	var refused *verify.Refusal
	if !errors.As(err, &refused) {
		return unavailable("the request can't be verified now", err)
	}
	r := refuse(refused.Status, "%s", refused.Error()).because(errors.New(refused.Why))
	if len(refused.Challenge) == 0 {
		return r
	}
	return r.with("WWW-Authenticate", refused.Challenge...)
}

// undelivered returns the refusal of a request whose events were not taken.
func undelivered(err error) *refusal {
	switch {
	case errors.Is(err, adapters.ErrBadVariable):
		return refuse(http.StatusNotFound, "there is no such stream").because(err)
	case errors.Is(err, adapters.ErrBusy):
		return busy().because(err)
	case errors.Is(err, adapters.ErrTooLarge):
		return refuse(http.StatusRequestEntityTooLarge, "the event is larger than what can be kept").because(err)
	default:
		return unavailable("the events could not be stored", err)
	}
}

// write sends the refusal of a request, and logs it to the logger in the
// request's context, if there is one: what is the sender's fault for those who
// look for it, and what is this side's for everybody.
func (r *refusal) write(ctx context.Context, w http.ResponseWriter) {
	level := zerolog.DebugLevel
	if r.status == http.StatusServiceUnavailable && ctx.Err() == nil {
		level = zerolog.WarnLevel
	}
	zerolog.Ctx(ctx).WithLevel(level).Int("status", r.status).AnErr("cause", r.cause).Msg("webhook refused: " + r.message)
	maps.Copy(w.Header(), r.header)
	http.Error(w, r.message, r.status)
}
