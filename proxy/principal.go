package proxy

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"net/http"
	"time"
)

// A principal is on whose behalf a client asks: whoever has these values of
// the headers that the route's adapter forwards. All of their streams are
// their own. What is kept of the values is a hash, under a key that no other
// process has; the source alone has the values themselves.

// principal tells the principals of a route apart: two are the same only if
// they have the same values of the same headers, byte for byte and in the
// same order. A header that is absent is not one that is empty.
//
// HTTP/2 may split a Cookie into several fields; net/http has put those
// together again (RFC 9113 section 8.2.3).
func (p *endpoint) principal(credentials http.Header) string {
	if len(p.can.Forward) == 0 {
		return ""
	}
	var text []byte // each part of it says first how long it is
	add := func(s string) { text = append(binary.AppendUvarint(text, uint64(len(s))), s...) }
	for _, name := range p.can.Forward {
		values := credentials.Values(name)
		add(name)
		text = binary.AppendUvarint(text, uint64(len(values)))
		for _, value := range values {
			add(value)
		}
	}
	mac := hmac.New(sha256.New, p.server.secret[:])
	mac.Write(text)
	return string(mac.Sum(nil))
}

// roomFor reports whether a principal may have another stream. If there are
// too many principals it makes room, at the expense of none that is here.
// p.mu is held.
func (p *endpoint) roomFor(principal string) bool {
	full := func() bool { return p.principals[principal] == 0 && len(p.principals) >= p.MaxPrincipals }
	if full() {
		p.closeIdlePrincipal()
	}
	return !full()
}

// closeIdlePrincipal closes the streams of the principal that has been
// without clients for longest, if there is one. p.mu is held.
func (p *endpoint) closeIdlePrincipal() {
	left := map[string]time.Time{} // when the last client did
	for key, s := range p.streams {
		if s.linger != nil && s.idleSince.After(left[key.principal]) {
			left[key.principal] = s.idleSince
		}
	}
	for key, s := range p.streams {
		if s.linger == nil {
			delete(left, key.principal)
		}
	}
	var idle string
	for principal, since := range left {
		if idle == "" || since.Before(left[idle]) {
			idle = principal
		}
	}
	for key, s := range p.streams {
		if key.principal == idle && s.linger != nil {
			p.close(s)
		}
	}
}
