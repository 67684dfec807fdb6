package verify

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"hash"
	"net/http"
	"strings"
	"time"
)

// bodySigned is the scheme of providers that send the HMAC-SHA256 of the body
// in a header, and what it is about in others.
type bodySigned struct {
	keys    keys
	headers []string // names of the signature's, of which the first that is there counts
	prefix  string
	encode  func([]byte) string
	types   []string
	ids     []string
}

// newGitHub follows
// https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries.
func newGitHub(path string, o *Signed) scheme {
	return &bodySigned{
		keys:    newKeys(path+".secret", o.Secret),
		headers: []string{"X-Hub-Signature-256"},
		prefix:  "sha256=",
		encode:  hex.EncodeToString,
		types:   []string{"X-GitHub-Event"},
		ids:     []string{"X-GitHub-Delivery"},
	}
}

// newBitbucket follows
// https://support.atlassian.com/bitbucket-cloud/docs/manage-webhooks/. The
// second id is that of Bitbucket Data Center.
func newBitbucket(path string, o *Signed) scheme {
	return &bodySigned{
		keys:    newKeys(path+".secret", o.Secret),
		headers: []string{"X-Hub-Signature"},
		prefix:  "sha256=",
		encode:  hex.EncodeToString,
		types:   []string{"X-Event-Key"},
		ids:     []string{"X-Request-UUID", "X-Request-Id"},
	}
}

// newGitea follows https://docs.gitea.com/usage/webhooks and
// https://forgejo.org/docs/latest/user/webhooks/.
func newGitea(path string, o *Signed) scheme {
	return &bodySigned{
		keys:    newKeys(path+".secret", o.Secret),
		headers: []string{"X-Gitea-Signature", "X-Forgejo-Signature", "X-Gogs-Signature"},
		encode:  hex.EncodeToString,
		types:   []string{"X-Gitea-Event", "X-Forgejo-Event", "X-Gogs-Event"},
		ids:     []string{"X-Gitea-Delivery", "X-Forgejo-Delivery", "X-Gogs-Delivery"},
	}
}

// newShopify follows
// https://shopify.dev/docs/apps/build/webhooks/verify-deliveries. The names
// without X- are those of its events. Several webhooks may have the same event
// id, so that it stands in for the webhook's only where that is missing.
func newShopify(path string, o *Signed) scheme {
	return &bodySigned{
		keys:    newKeys(path+".secret", o.Secret),
		headers: []string{"X-Shopify-Hmac-Sha256", "Shopify-Hmac-Sha256"},
		encode:  base64.StdEncoding.EncodeToString,
		types:   []string{"X-Shopify-Topic", "Shopify-Topic"},
		ids:     []string{"X-Shopify-Webhook-Id", "Shopify-Webhook-Id", "X-Shopify-Event-Id", "Shopify-Event-Id"},
	}
}

func (s *bodySigned) verify(r *http.Request, body []byte, _ time.Time) error {
	name := present(r, s.headers...)
	value, err := one(r, name)
	if err != nil {
		return err
	}
	given, ok := strings.CutPrefix(value, s.prefix)
	if !ok {
		return refuse("header %s doesn't start with %s", name, s.prefix)
	}
	return s.keys.matchMAC(sha256.New, s.encode, []string{given}, func(mac hash.Hash) { mac.Write(body) })
}

func (s *bodySigned) facts(r *http.Request, _ []byte) Facts {
	return Facts{Type: told(r, s.types...), ID: told(r, s.ids...)}
}
