package verify

import (
	"sidestream/adapters"
	"sidestream/adapters/secret"
)

// Options say how requests prove where they come from. If several are set, a
// request must meet all of them, such as github and ip. At most one of them may
// be a provider's.
type Options struct {
	// None takes requests from anybody. It must be said, as it is never meant
	// by accident, and stands alone.
	None bool `yaml:"none"`

	// GitHub is a secret of GitHub's webhooks (X-Hub-Signature-256).
	GitHub *Signed `yaml:"github"`

	// GitLab is the secret token, the signing token, or both, of GitLab's
	// webhooks.
	GitLab *GitLab `yaml:"gitlab"`

	// Stripe is the signing secret ("whsec_…") of an endpoint there
	// (Stripe-Signature).
	Stripe *Timed `yaml:"stripe"`

	// Slack is the signing secret of an app there (X-Slack-Signature).
	Slack *Timed `yaml:"slack"`

	// StandardWebhooks is what the specification of standardwebhooks.com says.
	// A secret is "whsec_…", or a public key, "whpk_…".
	StandardWebhooks *Timed `yaml:"standard_webhooks"`

	// Shopify is the client secret of an app there (X-Shopify-Hmac-Sha256).
	Shopify *Signed `yaml:"shopify"`

	// Twilio is what requests are signed with there (X-Twilio-Signature).
	Twilio *Twilio `yaml:"twilio"`

	// Bitbucket is a secret of its webhooks (X-Hub-Signature).
	Bitbucket *Signed `yaml:"bitbucket"`

	// Gitea is a secret of its webhooks, or of those of Forgejo or Gogs
	// (X-Gitea-Signature).
	Gitea *Signed `yaml:"gitea"`

	// HMAC is for senders that sign in a way of their own.
	HMAC *HMAC `yaml:"hmac"`

	// Bearer is the token in the header Authorization (RFC 6750), one or
	// several, any of which will do.
	Bearer []secret.Value `yaml:"bearer"`

	// Basic is a user and a password (RFC 7617), or several pairs of them, any
	// of which will do.
	Basic []Basic `yaml:"basic"`

	// IP is where requests may come from.
	IP *IP `yaml:"ip"`

	// MTLS asks for a client's certificate. {} takes any that the listener has
	// verified.
	MTLS *MTLS `yaml:"mtls"`
}

// Signed is for providers that sign with a secret. In YAML it is a mapping, or
// just the secret.
type Signed struct {
	// Secret is one or several, any of which will do, so that they can be
	// replaced one after the other.
	Secret []secret.Value `yaml:"secret"`
}

// Scalar implements [adapters.Shorthand].
func (Signed) Scalar() any { return "" }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (s *Signed) UnmarshalText(text []byte) error {
	s.Secret = []secret.Value{secret.Text(string(text))}
	return nil
}

// Timed is for providers that sign a timestamp along with the rest. In YAML it
// is a mapping, or just the secret.
type Timed struct {
	// Secret is one or several, any of which will do, so that they can be
	// replaced one after the other.
	Secret []secret.Value `yaml:"secret"`

	// Tolerance is how far from now the timestamp may be, in both directions,
	// from 1s to 24h. 0 means 5m.
	Tolerance adapters.Duration `yaml:"tolerance"`
}

// Scalar implements [adapters.Shorthand].
func (Timed) Scalar() any { return "" }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (t *Timed) UnmarshalText(text []byte) error {
	t.Secret = []secret.Value{secret.Text(string(text))}
	return nil
}

// GitLab is for GitLab's webhooks. If both Token and SigningToken are set, a
// request must have both, as GitLab sends both if it has both.
type GitLab struct {
	// Token is the secret token (X-Gitlab-Token), one or several, any of which
	// will do. It proves nothing of the body.
	Token []secret.Value `yaml:"token"`

	// SigningToken is the signing token, "whsec_…" (webhook-signature), one or
	// several, any of which will do.
	SigningToken []secret.Value `yaml:"signing_token"`

	// Tolerance is how far from now the timestamp that is signed may be, in
	// both directions, from 1s to 24h. 0 means 5m.
	Tolerance adapters.Duration `yaml:"tolerance"`
}

// Twilio is for Twilio's webhooks.
type Twilio struct {
	// Token is the auth token, one or several, any of which will do.
	Token []secret.Value `yaml:"token"`

	// URL is where Twilio sends requests, without the query: it is signed, and
	// what is in front of this program may have changed it. "{path}" at its end
	// stands for the path of the request: "https://example.com{path}". Its port
	// may be left out or be there, whatever Twilio does.
	URL string `yaml:"url"`
}

// HMAC is for senders that sign in a way of their own, with a secret that both
// sides know (RFC 2104).
type HMAC struct {
	// Secret is one or several, any of which will do, so that they can be
	// replaced one after the other. Its bytes are the key, as they are.
	Secret []secret.Value `yaml:"secret"`

	// Algorithm is that of the hash. Empty means sha256.
	Algorithm Algorithm `yaml:"algorithm"`

	// Header has the signature.
	Header string `yaml:"header"`

	// Encoding is that of the signature. Empty means hex.
	Encoding Encoding `yaml:"encoding"`

	// Prefix stands before the signature, as in "sha256=".
	Prefix string `yaml:"prefix"`

	// Signed is what is signed: text with "{body}", and with "{timestamp}",
	// "{header:Name}", "{method}", "{path}", "{query}" and "{url}" if they are
	// signed too, as in "{timestamp}.{body}". Empty means "{body}". The body has
	// to be in it, and the timestamp if there is one.
	Signed string `yaml:"signed"`

	// URL is where requests are sent, without the query, which "{url}" in
	// Signed adds. "{path}" at its end stands for the path of the request:
	// "https://example.com{path}".
	URL string `yaml:"url"`

	// Timestamp says when a request was signed.
	Timestamp Timestamp `yaml:"timestamp"`

	// TypeHeader has the type of the event. Empty: none.
	TypeHeader string `yaml:"type_header"`

	// IDHeader has what tells deliveries apart: the same for one that is sent
	// again. Empty: none.
	IDHeader string `yaml:"id_header"`
}

// Algorithm is that of a hash.
type Algorithm string

const (
	algorithmSHA1   Algorithm = "sha1"
	algorithmSHA256 Algorithm = "sha256"
	algorithmSHA384 Algorithm = "sha384"
	algorithmSHA512 Algorithm = "sha512"
)

// Values implements [adapters.Choice].
func (Algorithm) Values() []string {
	return []string{string(algorithmSHA1), string(algorithmSHA256), string(algorithmSHA384), string(algorithmSHA512)}
}

// Encoding is how the bytes of a signature are written.
type Encoding string

const (
	encodingHex       Encoding = "hex"       // in lower or upper case
	encodingBase64    Encoding = "base64"    // RFC 4648, section 4, with padding or without
	encodingBase64URL Encoding = "base64url" // RFC 4648, section 5, with padding or without
)

// Values implements [adapters.Choice].
func (Encoding) Values() []string {
	return []string{string(encodingHex), string(encodingBase64), string(encodingBase64URL)}
}

// Timestamp says when a request was signed.
type Timestamp struct {
	// Header has the timestamp. Empty: there is none.
	Header string `yaml:"header"`

	// Format is that of the timestamp. Empty means seconds.
	Format Format `yaml:"format"`

	// Tolerance is how far from now the timestamp may be, in both directions,
	// from 1s to 24h. 0 means 5m.
	Tolerance adapters.Duration `yaml:"tolerance"`
}

// Format is that of a timestamp.
type Format string

const (
	formatSeconds      Format = "seconds"      // since 1970
	formatMilliseconds Format = "milliseconds" // since 1970
	formatRFC3339      Format = "rfc3339"      // 2006-01-02T15:04:05Z
)

// Values implements [adapters.Choice].
func (Format) Values() []string {
	return []string{string(formatSeconds), string(formatMilliseconds), string(formatRFC3339)}
}

// Basic is a user and a password (RFC 7617).
type Basic struct {
	User     secret.Value `yaml:"user"`     // may be empty
	Password secret.Value `yaml:"password"` // must not be empty
}

// IP is where requests may come from. Behind proxies that the routing table
// trusts (trusted_proxies) that is the address that they say.
type IP struct {
	// Allow lists addresses and networks, such as "192.0.2.7", "192.0.2.0/24"
	// and "2001:db8::/32". At most 1000.
	Allow []string `yaml:"allow"`
}

// MTLS asks for a client's certificate, which the listener must have verified.
type MTLS struct {
	// Names are whom the certificate may be for: its subject's common name, or
	// one of its DNS names or URIs, without wildcards. Empty: anybody whom the
	// listener's authorities have given one. At most 100.
	Names []string `yaml:"names"`
}
