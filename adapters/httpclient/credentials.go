package httpclient

import (
	"context"
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"slices"

	"golang.org/x/net/http/httpguts"

	"sidestream/adapters"
	"sidestream/adapters/secret"
)

// A credential is one header to send, found when it is needed.
type credential struct {
	header string // in canonical form
	option string // the path of the option
	value  func(context.Context) (string, error)
	masked string // what to show of it
}

// shown are the headers whose text is no secret.
var shown = []string{"Accept", "Accept-Language", "Content-Type", "Host", "User-Agent"}

func newCredentials(o Options, t *tokens) []credential {
	var list []credential
	for _, name := range slices.Sorted(maps.Keys(o.Headers)) {
		v, option := o.Headers[name], "headers."+name
		s := secret.NewReader(option, v)
		cred := credential{
			header: http.CanonicalHeaderKey(name),
			option: option,
			value:  func(context.Context) (string, error) { return s.Read() },
			masked: secret.Mask,
		}
		if v.File == "" && slices.Contains(shown, cred.header) {
			cred.masked = v.Reveal()
		}
		list = append(list, cred)
	}
	switch a := o.Auth; {
	case a.Basic != nil:
		list = append(list, basic(*a.Basic))
	case a.Bearer != nil:
		list = append(list, bearer(*a.Bearer))
	case a.OAuth2 != nil:
		list = append(list, credential{
			header: "Authorization",
			option: "auth.oauth2",
			value:  t.authorization,
			masked: "Bearer " + secret.Mask,
		})
	}
	return list
}

func basic(b Basic) credential {
	user, password := secret.NewReader("auth.basic.user", b.User), secret.NewReader("auth.basic.password", b.Password)
	return credential{
		header: "Authorization",
		option: "auth.basic",
		value: func(context.Context) (string, error) {
			u, err := user.Read()
			if err != nil {
				return "", err
			}
			p, err := password.Read()
			if err != nil {
				return "", err
			}
			return "Basic " + base64.StdEncoding.EncodeToString([]byte(u+":"+p)), nil
		},
		masked: "Basic " + secret.Mask,
	}
}

func bearer(v secret.Value) credential {
	token := secret.NewReader("auth.bearer", v)
	return credential{
		header: "Authorization",
		option: "auth.bearer",
		value: func(context.Context) (string, error) {
			t, err := token.Read()
			return "Bearer " + t, err
		},
		masked: "Bearer " + secret.Mask,
	}
}

// authorize adds headers and credentials to req, which is to be sent to the
// host that they are for.
func (c *Client) authorize(req *http.Request, forward http.Header) error {
	for _, cred := range c.credentials {
		if len(forward[cred.header]) > 0 {
			continue
		}
		value, err := cred.value(req.Context())
		if err != nil {
			return err
		}
		if !httpguts.ValidHeaderFieldValue(value) {
			return adapters.Transient(secret.ReasonUnavailable, fmt.Errorf("%s: it can't be in a header: it holds a control character", cred.option))
		}
		if cred.header == "Host" {
			req.Host = value
			continue
		}
		req.Header.Set(cred.header, value)
	}
	for name, values := range forward {
		if len(values) > 0 {
			req.Header[name] = values
		}
	}
	return nil
}
