package nats

import (
	"errors"
	"net/url"
	"slices"
	"strconv"

	"sidestream/adapters/secret"
)

// Schemes of URLs.
const (
	schemeNATS = "nats"
	schemeTLS  = "tls"
	schemeWS   = "ws"
	schemeWSS  = "wss"
)

// A URL is that of a server: scheme://host:port with the scheme nats, tls, ws
// or wss. Before the host may stand user:password@ or token@, which are
// secrets: fmt and JSON show them masked. The port is 4222 (nats, tls), 80 (ws)
// or 443 (wss) if there is none. The zero value is that of no server.
type URL struct{ url *url.URL }

// UnmarshalText implements [encoding.TextUnmarshaler]. Its errors hold nothing
// of the text.
func (u *URL) UnmarshalText(text []byte) error {
	parsed, err := url.Parse(string(text))
	if err != nil || !slices.Contains([]string{schemeNATS, schemeTLS, schemeWS, schemeWSS}, parsed.Scheme) ||
		parsed.Opaque != "" || parsed.Hostname() == "" || !validPort(parsed) {
		return errURL
	}
	next := URL{parsed}
	if extra := parsed.Path != "" && parsed.Path != "/"; extra && !next.webSocket() || parsed.RawQuery != "" || parsed.Fragment != "" {
		return errURLTail
	}
	if parsed.User != nil && parsed.User.Username() == "" {
		return errURLUser
	}
	*u = next
	return nil
}

var (
	errURL     = errors.New("a server's URL is nats://host:port, or the same with tls, ws or wss; user:password@ or token@ may stand before the host")
	errURLTail = errors.New("a server's URL ends with its port; only ws and wss may have a path, and none has a query")
	errURLUser = errors.New("before the @ of a server's URL stands a user and a password, or a token")
)

func validPort(u *url.URL) bool {
	if u.Port() == "" {
		return true
	}
	port, err := strconv.ParseUint(u.Port(), 10, 16)
	return err == nil && port > 0
}

// MarshalText implements [encoding.TextMarshaler].
func (u URL) MarshalText() ([]byte, error) { return []byte(u.String()), nil }

func (u URL) String() string {
	if u.url == nil {
		return ""
	}
	shown := *u.url
	shown.User = nil
	text := shown.String()
	if u.url.User != nil {
		at := len(shown.Scheme + "://")
		text = text[:at] + secret.Mask + "@" + text[at:]
	}
	return text
}

// GoString implements [fmt.GoStringer].
func (u URL) GoString() string { return u.String() }

// webSocket reports whether the server is reached by WebSocket.
func (u URL) webSocket() bool { return u.url.Scheme == schemeWS || u.url.Scheme == schemeWSS }

// secure reports whether the URL asks for TLS.
func (u URL) secure() bool { return u.url.Scheme == schemeTLS || u.url.Scheme == schemeWSS }

// at returns the URL of another server, which is reached and asked for
// credentials as this one is.
func (u URL) at(host string) URL {
	return URL{&url.URL{Scheme: u.url.Scheme, User: u.url.User, Host: host}}
}
