package proxy

import (
	"context"
	"crypto/tls"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"time"
)

// overKey is that of a context whose connection is over the bound of its peer.
type overKey struct{}

// markOver is for [http.Server.ConnContext]. A peer that announces its clients
// has no bound, so that no connection with a PROXY header is over one.
func markOver(ctx context.Context, conn net.Conn) context.Context {
	if secure, ok := conn.(*tls.Conn); ok {
		conn = secure.NetConn()
	}
	if c, ok := conn.(*boundedConn); ok && c.over {
		return context.WithValue(ctx, overKey{}, true)
	}
	return ctx
}

// isOver reports whether a request has come by a connection that is over the
// bound of its peer. It gets nothing but an answer that says when to come back.
func isOver(r *http.Request) bool { return r.Context().Value(overKey{}) != nil }

// endingOver returns h, with which each connection over the bound ends with its
// first answer; HTTP/2 makes a GOAWAY frame of the header.
func endingOver(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if isOver(r) {
			w.Header().Set("Connection", "close")
		}
		h.ServeHTTP(w, r)
	})
}

// turnAway answers a request that can't pass through now. beside is true where a stream is at the same URL.
func (s *Server) turnAway(w http.ResponseWriter, r *http.Request, beside bool) {
	if wantsStream(r.Header) {
		s.comeBack(w, r, s.later())
		return
	}
	s.metrics.passedThrough(http.StatusServiceUnavailable)
	if beside {
		varyByAccept(w.Header())
	}
	s.retryAfter(w.Header())
	http.Error(w, "there is no room for this request now", http.StatusServiceUnavailable)
}

// retryAfter says when to come back (RFC 9110 section 10.2.3).
func (s *Server) retryAfter(h http.Header) {
	h.Set("Retry-After", strconv.FormatInt(int64((s.later()+time.Second-1)/time.Second), 10))
}

// later is how long somebody without room is to wait: not as long as all the
// others.
func (s *Server) later() time.Duration {
	retry := s.retry()
	return retry + rand.N(retry+1)
}
