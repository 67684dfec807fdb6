package webhook

import (
	"net/http"
	"strconv"
	"strings"
)

// shakeHands answers a sender that asks whether it may send events here
// (CloudEvents' "HTTP 1.1 Web Hooks", section 4). It is no authentication, so
// that nothing else depends on it. A callback by which permission could be
// given later is never called: the answer is the permission.
func (f *factory) shakeHands(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Allow", f.allow())
	origin := r.Header.Get("WebHook-Request-Origin")
	if origin == "" {
		w.WriteHeader(http.StatusNoContent) // some other question
		return
	}
	allowed, ok := f.options.CloudEvents.allows(origin)
	if !ok {
		refuse(http.StatusForbidden, "events of this origin are not expected here").write(r.Context(), w)
		return
	}
	rate, ok := f.options.CloudEvents.rate(r.Header.Get("WebHook-Request-Rate"))
	if !ok {
		refuse(http.StatusBadRequest, "the header WebHook-Request-Rate is no number of requests a minute, from 1").write(r.Context(), w)
		return
	}
	h.Set("WebHook-Allowed-Origin", allowed)
	h.Set("WebHook-Allowed-Rate", rate)
	w.WriteHeader(http.StatusOK)
}

// allows returns the answer to a sender that calls itself origin; ok is false
// if it may not send.
func (o *CloudEvents) allows(origin string) (allowed string, ok bool) {
	for _, name := range o.AllowedOrigins {
		switch {
		case name == "*":
			return "*", true
		case strings.EqualFold(name, origin):
			return origin, true
		}
	}
	return "", false
}

// rate returns the rate that is allowed to a sender that asks for the given one,
// which may be empty. ok is false if that is no rate.
func (o *CloudEvents) rate(asked string) (allowed string, ok bool) {
	most := uint64(o.AllowedRate)
	if asked != "" && asked != "*" {
		n, err := strconv.ParseUint(asked, 10, 64)
		if err != nil || n == 0 {
			return "", false
		}
		if most == 0 || n < most {
			most = n
		}
	}
	if most == 0 {
		return "*", true
	}
	return strconv.FormatUint(most, 10), true
}
