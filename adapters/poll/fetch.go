package poll

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"sidestream/adapters"
	"sidestream/adapters/jq"
	"sidestream/adapters/poll/payload"
)

// userAgent names the program, so that an upstream's access log tells polls
// from people.
const userAgent = "sidestream/poll"

// An answer is what an upstream sent.
type answer struct {
	status int // 0: there was none
	header http.Header
	body   []byte
	url    string // what answered, after redirects

	received time.Time
}

// request returns the request for the scope's cursor.
func (p *poller) request(ctx context.Context, s *scope) (*http.Request, error) {
	target, err := p.target.expand(p.vars, s.cursor)
	if err != nil {
		// The variables were checked: it is the cursor.
		return nil, adapters.Transient(errCursor.Error(), err)
	}
	req, err := http.NewRequestWithContext(ctx, p.options.Method, target.String(), http.NoBody)
	if err != nil {
		return nil, fmt.Errorf("the URL can't be used: %w", adapters.Quoteless(err))
	}
	req.Header = http.Header{
		"Accept":          {p.options.Answer.Accept()},
		"Accept-Encoding": {payload.AcceptEncoding},
		"User-Agent":      {userAgent},
	}
	if p.code.body == nil {
		return req, nil
	}
	v, _, err := first(ctx, p.code.body, nil, s.values())
	if err != nil {
		return nil, err
	}
	body, err := jq.Payload(v)
	if err != nil {
		return nil, err
	}
	if _, text := v.(string); !text {
		req.Header.Set("Content-Type", "application/json")
	}
	req.ContentLength = int64(len(body))
	req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	req.Body, _ = req.GetBody()
	return req, nil
}

// fetch makes one request, redirects included. The answer has its status and
// header also if there is an error with it. Status 304 is no error only if
// have allowed for it.
func (p *poller) fetch(req *http.Request, have validators) (answer, error) {
	resp, err := p.client.Do(req, p.env.Credentials, have.applyTo)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()

	a := answer{status: resp.StatusCode, header: resp.Header, url: resp.Request.URL.String(), received: time.Now()}
	switch resp.StatusCode {
	case http.StatusOK, http.StatusNonAuthoritativeInfo:
		a.body, err = p.options.Answer.Read(resp)
		return a, err
	case http.StatusNoContent, http.StatusResetContent:
		return a, nil
	case http.StatusNotModified:
		if conditional(resp.Request) {
			return a, nil
		}
	case http.StatusUnauthorized, http.StatusForbidden:
		if len(p.options.Forward) > 0 && !limited(&a) {
			return a, &adapters.DeniedError{Status: a.status, Challenge: a.header.Values("WWW-Authenticate")}
		}
	}
	return a, statusError(a.status)
}
