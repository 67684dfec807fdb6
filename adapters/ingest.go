package adapters

import (
	"context"
	"crypto/tls"
	"errors"
	"net/http"
)

// A Receiver is a source that events are pushed into.
type Receiver interface {
	// Receive takes events, in order and all of one request, and returns nil
	// once all of them are where clients get them from: in the feed, or in the
	// durable history. It may be called concurrently, at any time, whether the
	// source runs or not.
	//
	// What it returns otherwise is [ErrBusy], [ErrTooLarge], ctx's error, or a failure: some
	// of the events may then be delivered, but whoever has sent them is to
	// send them again.
	Receive(ctx context.Context, events []Event) error
}

// Errors of [Receiver.Receive] that concern the events.
var (
	ErrBusy     = errors.New("too many events are waiting")
	ErrTooLarge = errors.New("the event is too large") // and will be, however often it is sent
)

// An Ingester is a [Factory] of sources that are [Receivers]: it answers the
// requests that bring their events.
//
// [Receivers]: Receiver
type Ingester interface {
	Factory

	// Ingest says where requests come in.
	Ingest() Ingest

	// ServeIngest answers a request that has come in. The values of the
	// path's variables are those of [http.Request.PathValue], and its
	// RemoteAddr is for [ParseAddress]: where it comes from, also behind
	// proxies that the table trusts. It calls
	// receive once it knows that the request is what it claims to be, at most
	// once. The request's context has the route's logger (see zerolog.Ctx).
	ServeIngest(w http.ResponseWriter, r *http.Request, receive ReceiveFunc)
}

// A ReceiveFunc hands the events of one request to the source for vars: it
// finds that source, which it opens if need be, and is its
// [Receiver.Receive]. Its error may also be [ErrBadVariable].
type ReceiveFunc func(ctx context.Context, vars Vars, events []Event) error

// Ingest says where the requests come in that bring events.
type Ingest struct {
	// Path is a path pattern in the form of [Route.Path]. Its variables are
	// exactly those of the route that are for sources.
	Path string

	// Methods are those of the requests that are for [Ingester.ServeIngest],
	// which answers no other. Where Path is also a route's, requests with
	// other methods are for that.
	Methods []string

	// Address is the TCP address of a listener for such requests only; empty:
	// they come in where all others do. It is the adapter's option
	// listen.address, as Path is ingest: complaints name them so.
	Address string

	// TLS, if not nil, secures the listener at Address. It is asked for each
	// connection.
	TLS func() (*tls.Config, error)
}
