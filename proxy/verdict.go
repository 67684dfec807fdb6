package proxy

import (
	"errors"
	"net/http"
	"time"

	"golang.org/x/net/http/httpguts"

	"sidestream/adapters"
)

// verdictTime is how long a client waits for the upstream's first word on its
// credentials before the stream begins without it. Proxies in front wait for
// a response for longer than that.
const verdictTime = 10 * time.Second

// verdict waits until the stream may begin, or returns why it never does.
// Where credentials are forwarded that is when the upstream was heard of, so
// that its refusal can be the answer to the request.
func (s *stream) verdict(r *http.Request) departure {
	if len(s.can.Forward) == 0 {
		return ""
	}
	enough := time.NewTimer(verdictTime)
	defer enough.Stop()
	select {
	case <-s.heard:
		if s.condition.Load().state == sourceDenied {
			return leftDenied
		}
	case <-enough.C:
	case <-s.endpoint.server.draining: // it leaves like any other
	case <-s.endpoint.closing:
	case <-r.Context().Done():
		return leftGone
	}
	return ""
}

// denied ends the stream, for good and at once, if err says that the upstream
// refuses the credentials that its source was opened with. Whoever comes with
// others, or with the same if they have become valid, gets a new one.
func (s *stream) denied(err error) bool {
	var d *adapters.DeniedError
	if len(s.can.Forward) == 0 || !errors.As(err, &d) {
		return false
	}
	p := s.endpoint
	p.mu.Lock()
	defer p.mu.Unlock()
	p.discard(s, &condition{state: sourceDenied, since: time.Now(), reason: d.Error(), denied: d})
	return true
}

// deny answers a client before its stream has begun, as the upstream does.
func (p *endpoint) deny(w http.ResponseWriter, r *http.Request, d *adapters.DeniedError) {
	h := w.Header()
	setConnection(h, r)
	for _, challenge := range d.Challenge {
		if httpguts.ValidHeaderFieldValue(challenge) {
			h.Add("WWW-Authenticate", challenge)
		}
	}
	http.Error(w, "the credentials of this request are refused", d.Status)
}
