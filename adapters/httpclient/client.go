package httpclient

import (
	"errors"
	"io"
	"net/http"
)

// A Client makes requests. It is safe for concurrent use.
type Client struct {
	redirects    Redirects
	maxRedirects int
	credentials  []credential
	tokens       *tokens      // nil: none
	home, away   *connections // to the host that was asked for, and to others
}

// New returns a client for options that [Options.Check] has nothing against.
// It does no I/O.
func New(o Options) *Client {
	away := o
	away.UnixSocket, away.TLS.ServerName, away.TLS.Cert, away.TLS.Key = "", "", "", ""
	c := &Client{
		redirects:    o.Redirects,
		maxRedirects: o.MaxRedirects,
		home:         newConnections(o),
		away:         newConnections(away),
	}
	if o.Auth.OAuth2 != nil {
		c.tokens = newTokens(o)
	}
	c.credentials = newCredentials(o, c.tokens)
	return c
}

// Close closes idle connections. Later requests open new ones.
func (c *Client) Close() {
	c.home.close()
	c.away.close()
	if c.tokens != nil {
		c.tokens.connections.close()
	}
}

// Do sends req with the configured headers and credentials, and follows
// redirects as configured, all within req's context. The answer is that of
// the last request, which its Request field shows without the credentials. An
// error is transient. req's headers must not be secrets, as every host that is
// redirected to gets them; but conditions (If-None-Match and the like) are
// dropped on a redirect.
//
// forward, which may be nil, are a client's own credentials. They go where
// configured ones go, and replace those of the same name. The names must have
// passed [CheckHeader]; "Host" has no effect.
//
// prepare, if not nil, is called with each request, the first and those of
// redirects, before it is sent, and may set further headers, conditions for
// the very URL for one.
func (c *Client) Do(req *http.Request, forward http.Header, prepare func(*http.Request)) (*http.Response, error) {
	hop, home := req.Clone(req.Context()), true
	if hop.Header == nil {
		hop.Header = http.Header{}
	}
	for redirected := 0; ; redirected++ {
		if prepare != nil {
			prepare(hop)
		}
		resp, err := c.send(hop, forward, home)
		if err != nil {
			return nil, err
		}
		location := resp.Header.Get("Location")
		if c.redirects == redirectsNone || !isRedirect(resp.StatusCode) || location == "" {
			return resp, nil
		}
		discard(resp)
		if redirected == c.maxRedirects {
			return nil, ErrRedirects
		}
		if hop, home, err = c.follow(hop, resp.StatusCode, location, home); err != nil {
			return nil, err
		}
	}
}

// send sends one request, and once more if its token has been refused.
func (c *Client) send(hop *http.Request, forward http.Header, home bool) (*http.Response, error) {
	resp, used, err := c.sendOnce(hop, forward, home)
	if err != nil || resp.StatusCode != http.StatusUnauthorized || used == "" || rewind(hop) != nil {
		return resp, err
	}
	discard(resp)
	c.tokens.drop(used)
	resp, _, err = c.sendOnce(hop, forward, home)
	return resp, err
}

// sendOnce sends one request and returns the token that it was sent with, or
// "".
func (c *Client) sendOnce(hop *http.Request, forward http.Header, home bool) (resp *http.Response, token string, err error) {
	sent, via := hop.Clone(hop.Context()), c.away
	if home {
		via = c.home
		if err := c.authorize(sent, forward); err != nil {
			closeBody(sent)
			return nil, "", err
		}
		if c.tokens != nil && len(forward["Authorization"]) == 0 {
			token = sent.Header.Get("Authorization")
		}
	}
	if resp, err = via.RoundTrip(sent); err != nil {
		return nil, "", quoteless(err)
	}
	resp.Request, resp.Body = hop, body{resp.Body}
	return resp, token, nil
}

// A body is one whose errors are fit for logs.
type body struct{ io.ReadCloser }

func (b body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = quoteless(err)
	}
	return n, err
}

// maxDiscard is how much of an answer's body that nobody wants is read, in
// bytes, so that its connection can be used again.
const maxDiscard = 2 << 10

func discard(resp *http.Response) {
	_, _ = io.CopyN(io.Discard, resp.Body, maxDiscard)
	_ = resp.Body.Close()
}

func closeBody(req *http.Request) {
	if req.Body != nil {
		_ = req.Body.Close()
	}
}

// rewind gives req its body anew.
func rewind(req *http.Request) error {
	if req.Body == nil || req.Body == http.NoBody {
		return nil
	}
	if req.GetBody == nil {
		return errBody
	}
	body, err := req.GetBody()
	if err != nil {
		return errBody
	}
	req.Body = body
	return nil
}
