package poll

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// userAgent names the program, so that an upstream's access log tells polls
// from people.
const userAgent = "sidestream/poll"

// maxRedirects is how many redirects one poll follows.
const maxRedirects = 5

// An answer is a state, or status 304, as an upstream sent it.
type answer struct {
	status int
	header http.Header
	body   []byte
	url    string // what answered, after redirects
}

// fetch does one whole exchange, redirects included, within the configured
// timeout. Status 304 is returned only if have allowed for it.
func (s *source) fetch(ctx context.Context, have validators) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(s.options.Timeout))
	defer cancel()
	target := s.target
	for range 1 + maxRedirects {
		found, next, err := s.get(ctx, target, have)
		if err != nil || next == nil {
			return found, err
		}
		target = next
	}
	return answer{}, errRedirects
}

// get makes one request. It returns the answer or where that redirects to.
func (s *source) get(ctx context.Context, target *url.URL, have validators) (answer, *url.URL, error) {
	req := (&http.Request{
		Method: http.MethodGet,
		URL:    target,
		Header: http.Header{
			"Accept":     {accept(s.options.Body)},
			"User-Agent": {userAgent},
		},
	}).WithContext(ctx)
	conditional := have.apply(req)

	resp, err := s.transport.RoundTrip(req)
	if err != nil {
		return answer{}, nil, err
	}
	defer resp.Body.Close()

	found := answer{status: resp.StatusCode, header: resp.Header, url: req.URL.String()}
	switch resp.StatusCode {
	case http.StatusOK, http.StatusNonAuthoritativeInfo:
		found.body, err = readBody(resp, int64(s.options.MaxBody))
		return found, nil, err
	case http.StatusNoContent, http.StatusResetContent:
		return found, nil, nil
	case http.StatusNotModified:
		if conditional {
			return found, nil, nil
		}
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther,
		http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		if location := resp.Header.Get("Location"); location != "" {
			next, err := redirect(target, location)
			return answer{}, next, err
		}
	}
	return answer{}, nil, statusError(resp.StatusCode)
}

// redirect returns where a redirect leads, or errElsewhere if that is not
// the same host. Only from http to https may the scheme and port change.
func redirect(from *url.URL, location string) (*url.URL, error) {
	to, err := from.Parse(location)
	if err != nil || to.User != nil || !strings.EqualFold(to.Hostname(), from.Hostname()) {
		return nil, errElsewhere
	}
	upgrade := from.Scheme == "http" && to.Scheme == "https"
	if !upgrade && (to.Scheme != from.Scheme || port(to) != port(from)) {
		return nil, errElsewhere
	}
	return to, nil
}

func port(u *url.URL) string {
	if p := u.Port(); p != "" {
		return p
	}
	if u.Scheme == "https" {
		return "443"
	}
	return "80"
}

// readBody returns the whole body, decompressed, or an error if there is
// more of it than limit or less of it than was announced.
func readBody(resp *http.Response, limit int64) ([]byte, error) {
	if coding := resp.Header.Get("Content-Encoding"); coding != "" && !strings.EqualFold(coding, "identity") {
		// The transport has dealt with gzip, the only one asked for.
		return nil, fmt.Errorf("%w: it has a content coding that was not asked for", errUnreadable)
	}
	if resp.ContentLength > limit {
		return nil, errTooLarge
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	var network net.Error
	switch {
	case int64(len(body)) > limit:
		return nil, errTooLarge
	case err == nil:
		return body, nil
	case errors.As(err, &network):
		return nil, err // the connection's fault: a timeout, a reset
	default:
		return nil, fmt.Errorf("%w: %w", errUnreadable, err)
	}
}
