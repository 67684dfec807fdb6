package httpclient

import (
	"sidestream/adapters/secret"
	"sidestream/adapters/tlsfiles"
)

// Options are how an adapter's requests are made. They are meant to be
// inlined into the options of an adapter.
type Options struct {
	// Headers are sent with each request to the upstream's host, and replace
	// those that the adapter sets. "Host" is the host that is asked for, in
	// place of the URL's. At most 100. Refused are those that
	// frame a message, belong to a connection or make a request conditional
	// (Content-Length, Connection, If-None-Match): those are set as needed.
	Headers map[string]secret.Value `yaml:"headers"`

	Auth Auth `yaml:"auth"`

	// TLS is how connections to https URLs are secured.
	TLS tlsfiles.Options `yaml:"tls"`

	// Proxy is what requests go through. The zero value is what the
	// environment says.
	Proxy Proxy `yaml:"proxy"`

	// UnixSocket is the path of a socket to connect to, instead of the
	// URL's host. Tokens are fetched from their own host all the same.
	UnixSocket string `yaml:"unix_socket"`

	// Redirects says which redirects are followed. Those that aren't are
	// failures, except with none.
	Redirects Redirects `yaml:"redirects"`

	// MaxRedirects is how many redirects one request follows, from 1 to 50.
	MaxRedirects int `yaml:"max_redirects"`

	// MaxConnections bounds the connections to one host, busy and idle
	// ones, from 1 to 10000. Further requests wait.
	MaxConnections int `yaml:"max_connections"`
}

// Redirects says which redirects are followed.
type Redirects string

const (
	redirectsSameHost Redirects = "same_host" // those to the same host, on the same scheme and port or from http to https
	redirectsAny      Redirects = "any"       // those to other hosts too, without headers and credentials; a body goes along with statuses 307 and 308
	redirectsNone     Redirects = "none"      // none; a redirect is an answer like another
)

// Values implements [adapters.Choice].
func (Redirects) Values() []string {
	return []string{string(redirectsSameHost), string(redirectsAny), string(redirectsNone)}
}

// Auth are the credentials of requests. At most one of them is set.
type Auth struct {
	Basic  *Basic        `yaml:"basic"`
	Bearer *secret.Value `yaml:"bearer"` // a token (RFC 6750)
	OAuth2 *OAuth2       `yaml:"oauth2"`
}

// Basic is a user and a password (RFC 7617). One of them may be empty, as
// some APIs take a key for either.
type Basic struct {
	User     secret.Value `yaml:"user"`     // may be empty if the password isn't
	Password secret.Value `yaml:"password"` // may be empty if the user isn't
}

// OAuth2 gets tokens by client credentials (RFC 6749, section 4.4). A token
// is used by all requests until it expires, or until the upstream answers
// 401; that request is then repeated once with a new one. Redirects of the
// token endpoint are not followed.
type OAuth2 struct {
	// TokenURL is the token endpoint. It is asked with the TLS options and
	// the proxy of other requests, but for the server_name of tls.
	TokenURL string `yaml:"token_url"`

	ClientID string `yaml:"client_id"` // what the token endpoint knows the client by

	// ClientSecret may be absent for clients that prove who they are by
	// their certificate or by one of Params.
	ClientSecret secret.Value `yaml:"client_secret"`

	Scopes []string `yaml:"scopes"` // at most 100

	// Params are further parameters of the token request, such as
	// "audience" or "resource". At most 100.
	Params map[string]secret.Value `yaml:"params"`

	// Style says how the client proves who it is (RFC 6749, section 2.3.1).
	// Empty means auto.
	Style Style `yaml:"style"`
}

// Style says how a client proves who it is to a token endpoint.
type Style string

const (
	styleAuto   Style = "auto"   // as header, and if that fails as params
	styleHeader Style = "header" // HTTP basic authentication
	styleParams Style = "params" // client_id and client_secret in the body
)

// Values implements [adapters.Choice].
func (Style) Values() []string {
	return []string{string(styleAuto), string(styleHeader), string(styleParams)}
}

// Defaults returns the options that hold when nothing is configured.
func Defaults() Options {
	return Options{
		TLS:            tlsfiles.Defaults(),
		Redirects:      redirectsSameHost,
		MaxRedirects:   5,
		MaxConnections: 100,
	}
}
