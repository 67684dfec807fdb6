package httpclient

import (
	"errors"
	"net/url"

	"sidestream/adapters"
)

const masked = "(secret)"

// A Value is text that may be a secret. It is configured as text, or as
// {file: path} for the content of a file (at most 64KiB) without one line end
// at its end. The zero value is absent. It is masked by fmt and in JSON.
type Value struct {
	// File is the path of a file with the text. If it is set, it prevails.
	File string `yaml:"file"`

	// A pointer isn't followed by fmt, not even where it can't see that
	// there is a String method: in unexported fields.
	text *string
}

// Text returns the value that is s.
func Text(s string) Value { return Value{text: &s} }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (v *Value) UnmarshalText(text []byte) error {
	*v = Text(string(text))
	return nil
}

// MarshalText implements [encoding.TextMarshaler].
func (v Value) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

func (v Value) String() string {
	switch {
	case v.File != "":
		return "(secret in " + v.File + ")"
	case v.isEmpty():
		return ""
	default:
		return masked
	}
}

// GoString implements [fmt.GoStringer].
func (v Value) GoString() string { return v.String() }

func (v Value) isZero() bool { return v.File == "" && v.text == nil }

// isEmpty reports whether v is absent or the empty text.
func (v Value) isEmpty() bool { return v.File == "" && v.reveal() == "" }

// reveal returns the text that v was configured as.
func (v Value) reveal() string {
	if v.text == nil || v.File != "" {
		return ""
	}
	return *v.text
}

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
		return p.url.Scheme + "://" + masked + "@" + p.url.Host
	default:
		return p.url.Scheme + "://" + p.url.Host
	}
}

// GoString implements [fmt.GoStringer].
func (p Proxy) GoString() string { return p.String() }

// A secret is where a Value is found at run time. The zero value is "".
type secret struct {
	text string
	file *file // nil: text
}

func newSecret(option string, v Value) secret {
	return secret{text: v.reveal(), file: newFile(option, v.File, maxValue)}
}

// read returns the secret. Its error is a transient one, with a reason.
func (s secret) read() (string, error) {
	if s.file == nil {
		return s.text, nil
	}
	data, err := s.file.content()
	if err != nil {
		return "", adapters.Transient(reasonCredentials, err)
	}
	return trimLineEnd(string(data)), nil
}
