package httpclient

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"golang.org/x/net/http/httpguts"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"sidestream/adapters"
	"sidestream/adapters/secret"
)

// Bounds of tokens. The answer that one comes in is bounded by
// golang.org/x/oauth2, to 1MiB.
const (
	tokenTimeout = 30 * time.Second
	maxToken     = 64 << 10
)

// tokens get tokens by client credentials and keep the last. At most one is
// being fetched at a time; a failure is that of all who wait for it.
type tokens struct {
	connections *connections
	client      *http.Client
	secret      *secret.Reader
	params      map[string]*secret.Reader
	turn        chan struct{} // holds one value while a token is being fetched

	config clientcredentials.Config // guarded by turn; remembers which style has worked

	mu     sync.Mutex
	held   grant     // guarded by mu; the last one, zero for none
	err    error     // guarded by mu; of the last fetch
	failed time.Time // guarded by mu; when err was
}

// A grant is a token. The zero value is none.
type grant struct {
	token  *oauth2.Token
	header string // the value of Authorization
	at     time.Time
}

func (g grant) isValid() bool { return g.token.Valid() }

func newTokens(o Options) *tokens { return newTokensAt("auth.oauth2", o) }

// newTokensAt returns tokens for options whose Auth.OAuth2 is the value of the
// option with this path, for errors.
func newTokensAt(option string, o Options) *tokens {
	oauth := o.Auth.OAuth2
	o.UnixSocket, o.TLS.ServerName = "", "" // those are the upstream's
	t := &tokens{
		connections: newConnections(o),
		secret:      secret.NewReader(option+".client_secret", oauth.ClientSecret),
		params:      make(map[string]*secret.Reader, len(oauth.Params)),
		turn:        make(chan struct{}, 1),
		config: clientcredentials.Config{
			ClientID:  oauth.ClientID,
			TokenURL:  oauth.TokenURL,
			Scopes:    oauth.Scopes,
			AuthStyle: authStyle(oauth.Style),
		},
	}
	t.client = &http.Client{
		Transport:     t.connections,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	for name, v := range oauth.Params {
		t.params[name] = secret.NewReader(option+".params."+name, v)
	}
	return t
}

func authStyle(style Style) oauth2.AuthStyle {
	switch style {
	case styleHeader:
		return oauth2.AuthStyleInHeader
	case styleParams:
		return oauth2.AuthStyleInParams
	default:
		return oauth2.AuthStyleAutoDetect
	}
}

// authorization returns the value of the header Authorization.
func (t *tokens) authorization(ctx context.Context) (string, error) {
	g, err := t.obtain(ctx, grant.isValid)
	return g.header, err
}

// obtain returns the last token if it is good, or else a new one.
func (t *tokens) obtain(ctx context.Context, good func(grant) bool) (grant, error) {
	asked := time.Now()
	if g, err := t.cached(asked, good); g != (grant{}) || err != nil {
		return g, err
	}
	select {
	case t.turn <- struct{}{}:
		defer func() { <-t.turn }()
	case <-ctx.Done():
		return grant{}, adapters.Transient(reasonToken, fmt.Errorf("wait for a token: %w", ctx.Err()))
	}
	if g, err := t.cached(asked, good); g != (grant{}) || err != nil {
		return g, err
	}
	g, err := t.fetch(ctx)
	if ctx.Err() != nil && err != nil {
		return grant{}, err // nobody else's failure
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if err == nil {
		t.held = g
	}
	t.err, t.failed = err, time.Now()
	return g, err
}

// cached returns the last token if it is good, or else the error of the last
// fetch if that failed since the given time.
func (t *tokens) cached(since time.Time, good func(grant) bool) (grant, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case good(t.held):
		return t.held, nil
	case t.err != nil && t.failed.After(since):
		return grant{}, t.err
	default:
		return grant{}, nil
	}
}

// last returns the last token.
func (t *tokens) last() grant {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.held
}

// drop forgets a token that has been refused, unless there is a new one.
func (t *tokens) drop(header string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.held.header == header {
		t.held = grant{}
	}
}

// fetch asks for a token. The caller has the turn. The error is transient:
// somebody may mend the endpoint, or renew the secret in its file.
func (t *tokens) fetch(ctx context.Context) (grant, error) {
	var err error
	if t.config.ClientSecret, err = t.secret.Read(); err != nil {
		return grant{}, err
	}
	t.config.EndpointParams = url.Values{}
	for name, s := range t.params {
		text, err := s.Read()
		if err != nil {
			return grant{}, err
		}
		t.config.EndpointParams.Set(name, text)
	}
	ctx, cancel := context.WithTimeout(ctx, tokenTimeout)
	defer cancel()
	token, err := t.config.Token(context.WithValue(ctx, oauth2.HTTPClient, t.client))
	if err != nil {
		return grant{}, adapters.Transient(reasonToken, t.failure(ctx, err))
	}
	header := token.Type() + " " + token.AccessToken
	if len(header) > maxToken || !httpguts.ValidHeaderFieldValue(header) {
		return grant{}, adapters.Transient(reasonToken, errNoToken)
	}
	return grant{token: token, header: header, at: time.Now()}, nil
}

var errNoToken = errors.New("the token endpoint's answer is not a token")

// failure returns what is wrong, without the endpoint's answer, which
// golang.org/x/oauth2 quotes.
func (t *tokens) failure(ctx context.Context, err error) error {
	var (
		refused *oauth2.RetrieveError
		failed  *url.Error
	)
	switch {
	case errors.As(err, &refused):
		code := ""
		if slices.Contains(errorCodes, refused.ErrorCode) {
			code = " (" + refused.ErrorCode + ")"
		}
		return fmt.Errorf("the token endpoint answered %d%s", refused.Response.StatusCode, code)
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.As(err, &failed):
		return quoteless(err)
	default:
		return errNoToken
	}
}

// errorCodes are those of RFC 6749, section 5.2.
var errorCodes = []string{
	"invalid_request", "invalid_client", "invalid_grant",
	"unauthorized_client", "unsupported_grant_type", "invalid_scope",
}
