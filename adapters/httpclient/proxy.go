package httpclient

import (
	"errors"
	"net/url"

	"sidestream/adapters/secret"
)

// A Proxy is what requests go through: the URL of an http, https or socks5
// proxy, whose user and password are secrets, "off" for none, or "" for what
// the environment says (HTTP_PROXY, HTTPS_PROXY, NO_PROXY), which is never a
// proxy for localhost. The zero value is the last.
type Proxy struct {
	off bool
	url *url.URL
}

const proxyOff = "off"

// UnmarshalText implements [encoding.TextUnmarshaler].
func (p *Proxy) UnmarshalText(text []byte) error {
	switch string(text) {
	case "":
		*p = Proxy{}
		return nil
	case proxyOff:
		*p = Proxy{off: true}
		return nil
	}
	u, err := url.Parse(string(text))
	switch {
	case err != nil, u.Hostname() == "", u.Path != "" && u.Path != "/", u.RawQuery != "", u.Fragment != "":
		return errProxy
	case u.Scheme != "http" && u.Scheme != "https" && u.Scheme != "socks5":
		return errProxy
	}
	*p = Proxy{url: u}
	return nil
}

var errProxy = errors.New(`a proxy is "off", or scheme://host:port with the scheme http, https or socks5; user:password@ may stand before the host`)

// MarshalText implements [encoding.TextMarshaler].
func (p Proxy) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

func (p Proxy) String() string {
	switch {
	case p.off:
		return proxyOff
	case p.url == nil:
		return ""
	case p.url.User != nil:
		return p.url.Scheme + "://" + secret.Mask + "@" + p.url.Host
	default:
		return p.url.Scheme + "://" + p.url.Host
	}
}

// GoString implements [fmt.GoStringer].
func (p Proxy) GoString() string { return p.String() }
