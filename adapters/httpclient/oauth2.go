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
	header string        // guarded by mu; the value of Authorization, "" for none
	token  *oauth2.Token // guarded by mu; which it was made of
	err    error         // guarded by mu; of the last fetch
	failed time.Time     // guarded by mu; when err was
}

func newTokens(o Options) *tokens {
	oauth := o.Auth.OAuth2
	o.UnixSocket, o.TLS.ServerName = "", "" // those are the upstream's
	t := &tokens{
		connections: newConnections(o),
		secret:      secret.NewReader("auth.oauth2.client_secret", oauth.ClientSecret),
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
		t.params[name] = secret.NewReader("auth.oauth2.params."+name, v)
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
	asked := time.Now()
	if header, err := t.cached(asked); header != "" || err != nil {
		return header, err
	}
	select {
	case t.turn <- struct{}{}:
		defer func() { <-t.turn }()
	case <-ctx.Done():
		return "", adapters.Transient(reasonToken, fmt.Errorf("wait for a token: %w", ctx.Err()))
	}
	if header, err := t.cached(asked); header != "" || err != nil {
		return header, err
	}
	token, header, err := t.fetch(ctx)
	if ctx.Err() != nil && err != nil {
		return "", err // nobody else's failure
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.token, t.header, t.err, t.failed = token, header, err, time.Now()
	return header, err
}

// cached returns the last token if it is still good, or else the error of the
// last fetch if that failed since the given time.
func (t *tokens) cached(since time.Time) (header string, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.header != "" && t.token.Valid():
		return t.header, nil
	case t.err != nil && t.failed.After(since):
		return "", t.err
	default:
		return "", nil
	}
}

// drop forgets a token that has been refused, unless there is a new one.
func (t *tokens) drop(header string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.header == header {
		t.header = ""
	}
}

// fetch asks for a token. The caller has the turn. The error is transient:
// somebody may mend the endpoint, or renew the secret in its file.
func (t *tokens) fetch(ctx context.Context) (*oauth2.Token, string, error) {
	var err error
	if t.config.ClientSecret, err = t.secret.Read(); err != nil {
		return nil, "", err
	}
	t.config.EndpointParams = url.Values{}
	for name, s := range t.params {
		text, err := s.Read()
		if err != nil {
			return nil, "", err
		}
		t.config.EndpointParams.Set(name, text)
	}
	ctx, cancel := context.WithTimeout(ctx, tokenTimeout)
	defer cancel()
	token, err := t.config.Token(context.WithValue(ctx, oauth2.HTTPClient, t.client))
	if err != nil {
		return nil, "", adapters.Transient(reasonToken, t.failure(ctx, err))
	}
	header := token.Type() + " " + token.AccessToken
	if len(header) > maxToken || !httpguts.ValidHeaderFieldValue(header) {
		return nil, "", adapters.Transient(reasonToken, errNoToken)
	}
	return token, header, nil
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
