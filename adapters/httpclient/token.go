package httpclient

import (
	"context"
	"time"

	"sidestream/adapters/tlsfiles"
)

// Tokens are those of an [OAuth2], for who presents them elsewhere than in HTTP
// requests. They are safe for concurrent use.
type Tokens struct{ tokens *tokens }

// NewTokens returns tokens for o, which is the value of the option with this
// path, for errors: "sasl.oauth2". The token endpoint is reached with the given
// TLS options, which are those of the option "tls", apart from
// [tlsfiles.Options.ServerName], and through the given proxy. It does no I/O.
func NewTokens(option string, o OAuth2, tls tlsfiles.Options, proxy Proxy) *Tokens {
	all := Defaults()
	all.Auth.OAuth2, all.TLS, all.Proxy = &o, tls, proxy
	return &Tokens{newTokensAt(option, all)}
}

// Token returns a token. It is used until four fifths of its time are over;
// from then on a new one is asked for, and as long as there is none to be had,
// the old one is used until it expires. An error is transient, with a reason
// that clients may see, and holds nothing that the endpoint has sent.
func (t *Tokens) Token(ctx context.Context) (string, error) {
	g, err := t.tokens.obtain(ctx, grant.isYoung)
	if err != nil {
		if g = t.tokens.last(); !g.isValid() {
			return "", err
		}
	}
	return g.token.AccessToken, nil
}

// Close closes idle connections to the endpoint. Later calls open new ones.
func (t *Tokens) Close() { t.tokens.connections.close() }

// isYoung reports whether g is valid and not yet due to be renewed.
func (g grant) isYoung() bool {
	if !g.isValid() {
		return false
	}
	end := g.token.Expiry
	return end.IsZero() || time.Now().Before(g.at.Add(end.Sub(g.at)*4/5))
}
