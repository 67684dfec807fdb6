package sse

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"sidestream/adapters"
)

const (
	lastEventID = "Last-Event-Id" // in canonical form
	streamType  = "text/event-stream"

	// userAgent names the program, so that a server's access log tells it
	// from browsers.
	userAgent = "sidestream/sse"
)

// request returns the request for what comes after the run's newest id.
func (r *run) request(ctx context.Context) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.url.String(), http.NoBody)
	if err != nil {
		return nil, adapters.Quoteless(err)
	}
	req.Header = http.Header{
		"Accept":          {streamType},
		"Accept-Encoding": {"identity"}, // what a stream gains by compression, it loses by buffers
		"Cache-Control":   {"no-store"},
		"User-Agent":      {userAgent},
	}
	if !r.resumes() {
		return req, nil
	}
	if name := r.options.LastEventIDParam; name != "" {
		pair := url.QueryEscape(name) + "=" + url.QueryEscape(r.lastID)
		req.URL.RawQuery = strings.TrimPrefix(req.URL.RawQuery+"&"+pair, "&")
	} else {
		req.Header.Set(lastEventID, r.lastID)
	}
	return req, nil
}

// resumes reports whether there is an id to go on from.
func (r *run) resumes() bool {
	_, ok := r.encodeID(r.lastID)
	return ok
}

// ask makes one request, and returns its response if that is a stream. stop
// ends ctx. The outcome is counted.
func (r *run) ask(ctx context.Context, stop context.CancelCauseFunc) (*http.Response, error) {
	req, err := r.request(ctx)
	if err != nil {
		return nil, err
	}
	r.showRequest(req)
	timer := time.AfterFunc(time.Duration(r.options.ConnectTimeout), func() { stop(errNoAnswer) })
	resp, err := r.client.Do(req, r.env.Credentials, nil)
	if !timer.Stop() {
		if err == nil {
			_ = resp.Body.Close()
		}
		err = context.Cause(ctx)
	}
	if err != nil {
		if ctx.Err() == nil || context.Cause(ctx) == errNoAnswer { //nolint:errorlint // it is never wrapped
			r.count(outcome(err))
		}
		return nil, err
	}
	r.showAnswer(resp)
	err = r.accept(resp)
	if err != nil {
		_ = resp.Body.Close()
	}
	if err != nil && resp.StatusCode == http.StatusOK {
		r.count(outcome(err))
	} else {
		r.count(strconv.Itoa(resp.StatusCode))
	}
	return resp, err
}

// accept returns why a response is not a stream, or nil.
func (r *run) accept(resp *http.Response) error {
	status, after := resp.StatusCode, retryAfter(resp.Header)
	if status != http.StatusOK && after > 0 {
		r.put(r.within(after), "retry-after")
	}
	switch status {
	case http.StatusOK:
		return acceptBody(resp.Header)
	case http.StatusNoContent:
		return errOver
	case http.StatusGone:
		switch {
		case !r.resumes():
			return errOver
		case r.given:
			return &adapters.PositionLostError{Reason: adapters.LostExpired, Lost: -1}
		}
		r.learn("")
	case http.StatusUnauthorized, http.StatusForbidden:
		limited := status == http.StatusForbidden && after > 0 // it is about the number of requests
		if len(r.options.Forward) > 0 && !limited {
			return &adapters.DeniedError{Status: status, Challenge: resp.Header.Values("WWW-Authenticate")}
		}
	}
	return statusError(status)
}

// acceptBody returns why the body of a response can't be read as a stream.
// Parameters of the type change nothing: a stream is UTF-8.
func acceptBody(h http.Header) error {
	typ, _, _ := strings.Cut(h.Get("Content-Type"), ";")
	if typ = strings.TrimSpace(typ); !strings.EqualFold(typ, streamType) {
		return &typeError{typ}
	}
	for coding := range strings.SplitSeq(strings.Join(h.Values("Content-Encoding"), ","), ",") {
		if coding = strings.TrimSpace(coding); coding != "" && !strings.EqualFold(coding, "identity") {
			return errCoded
		}
	}
	return nil
}

// retryAfter returns how long the header Retry-After asks to wait, in seconds
// or until a date (RFC 9110, section 10.2.3), or 0.
func retryAfter(h http.Header) time.Duration {
	text := strings.TrimSpace(h.Get("Retry-After"))
	if seconds, err := strconv.ParseUint(text, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	at, err := http.ParseTime(text)
	if err != nil {
		return 0
	}
	return max(time.Until(at), 0)
}
