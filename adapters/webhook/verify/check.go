package verify

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"

	"sidestream/adapters"
	"sidestream/adapters/secret"
)

// The bounds of options.
const (
	maxSecrets   = 16
	maxNetworks  = 1000
	maxNames     = 100
	maxTemplate  = 4 << 10 // bytes
	minTolerance = time.Second
	maxTolerance = 24 * time.Hour
)

// Check adds what is wrong with the options, which stand at path
// ("webhook.verify"), to c. It does no I/O: files need not exist, as a routing
// table may be checked elsewhere than where it is used.
func (o *Options) Check(c *adapters.OptionErrors, path string) {
	k := check{c, path}
	providers, others := o.configured()
	n := len(providers) + len(others)
	k.refuse(n == 0 && !o.None, "", "nothing says how requests prove where they come from; "+
		`configure github, hmac, bearer or another one, or write "none: true" to take them from anybody`)
	k.refuse(n > 0 && o.None, ".none", "it can't stand beside others, all of which a request would have to meet")
	k.refuse(len(providers) > 1, "", "a request has to meet all of %s, but comes from one of them; configure one", strings.Join(providers, ", "))
	k.refuse(len(o.Bearer) > 0 && len(o.Basic) > 0, ".basic", "a request can't have both bearer and basic; choose one")
	o.checkProviders(k)
	k.bearer(".bearer", o.Bearer)
	k.basic(".basic", o.Basic)
	if o.HMAC != nil {
		k.hmac(".hmac", o.HMAC)
	}
	if o.IP != nil {
		k.ip(".ip", o.IP)
	}
	if o.MTLS != nil {
		k.refuse(len(o.MTLS.Names) > maxNames, ".mtls.names", "there are %d; the most is %d", len(o.MTLS.Names), maxNames)
		for i, name := range o.MTLS.Names {
			k.refuse(name == "" || strings.Contains(name, "*"), fmt.Sprintf(".mtls.names[%d]", i), "%q is not a whole name", name)
		}
	}
}

// configured returns the keys of the schemes that are, of which at most one may
// be a provider's.
func (o *Options) configured() (providers, others []string) {
	collect := func(into *[]string, key string, set bool) {
		if set {
			*into = append(*into, key)
		}
	}
	collect(&providers, "github", o.GitHub != nil)
	collect(&providers, "gitlab", o.GitLab != nil)
	collect(&providers, "stripe", o.Stripe != nil)
	collect(&providers, "slack", o.Slack != nil)
	collect(&providers, "standard_webhooks", o.StandardWebhooks != nil)
	collect(&providers, "shopify", o.Shopify != nil)
	collect(&providers, "twilio", o.Twilio != nil)
	collect(&providers, "bitbucket", o.Bitbucket != nil)
	collect(&providers, "gitea", o.Gitea != nil)
	collect(&others, "hmac", o.HMAC != nil)
	collect(&others, "bearer", len(o.Bearer) > 0)
	collect(&others, "basic", len(o.Basic) > 0)
	collect(&others, "ip", o.IP != nil)
	collect(&others, "mtls", o.MTLS != nil)
	return providers, others
}

func (o *Options) checkProviders(k check) {
	for _, p := range []struct {
		key string
		*Signed
	}{{".github", o.GitHub}, {".shopify", o.Shopify}, {".bitbucket", o.Bitbucket}, {".gitea", o.Gitea}} {
		if p.Signed != nil {
			k.secrets(p.key+".secret", p.Secret)
		}
	}
	for _, p := range []struct {
		key string
		*Timed
	}{{".stripe", o.Stripe}, {".slack", o.Slack}, {".standard_webhooks", o.StandardWebhooks}} {
		if p.Timed != nil {
			k.secrets(p.key+".secret", p.Secret)
			k.tolerance(p.key+".tolerance", p.Tolerance)
		}
	}
	if s := o.StandardWebhooks; s != nil {
		k.standardKeys(".standard_webhooks.secret", s.Secret)
	}
	if g := o.GitLab; g != nil {
		k.refuse(len(g.Token)+len(g.SigningToken) == 0, ".gitlab", "needs token, signing_token or both")
		k.secretsIfAny(".gitlab.token", g.Token)
		k.headerTexts(".gitlab.token", g.Token)
		k.secretsIfAny(".gitlab.signing_token", g.SigningToken)
		k.standardKeys(".gitlab.signing_token", g.SigningToken)
		k.tolerance(".gitlab.tolerance", g.Tolerance)
		k.refuse(g.Tolerance != 0 && len(g.SigningToken) == 0, ".gitlab.tolerance", "it has no effect without signing_token")
	}
	if t := o.Twilio; t != nil {
		k.secrets(".twilio.token", t.Token)
		_, err := parsePublicURL(t.URL)
		k.refuse(t.URL == "", ".twilio.url", "is missing; Twilio signs the URL that it sends requests to")
		k.refuse(t.URL != "" && err != nil, ".twilio.url", "%v", err)
	}
}

// check adds complaints about what is at a path.
type check struct {
	errors *adapters.OptionErrors
	path   string
}

func (k check) refuse(bad bool, at, format string, args ...any) {
	k.errors.Refuse(bad, strings.TrimPrefix(k.path+at, "."), format, args...)
}

func (k check) secrets(at string, list []secret.Value) {
	k.refuse(len(list) == 0, at, "is missing")
	k.secretsIfAny(at, list)
}

func (k check) secretsIfAny(at string, list []secret.Value) {
	k.refuse(len(list) > maxSecrets, at, "there are %d; the most is %d", len(list), maxSecrets)
	for i, v := range list {
		k.refuse(v.IsEmpty(), fmt.Sprintf("%s[%d]", at, i), "must not be empty; write text or {file: path}")
	}
}

// headerTexts complains of what can't be the value of a header, or a part of
// one: what is in front of it or behind it in space is lost on the way.
func (k check) headerTexts(at string, list []secret.Value) {
	for i, v := range list {
		text := v.Reveal()
		k.refuse(!httpguts.ValidHeaderFieldValue(text) || strings.Trim(text, " \t") != text, fmt.Sprintf("%s[%d]", at, i),
			"it can't be in a header: it holds a control character, or begins or ends with space")
	}
}

func (k check) standardKeys(at string, list []secret.Value) {
	for i, v := range list {
		if text := v.Reveal(); text != "" {
			_, err := parseStandardKey(text)
			k.refuse(err != nil, fmt.Sprintf("%s[%d]", at, i), "%v", err)
		}
	}
}

func (k check) tolerance(at string, d adapters.Duration) {
	k.refuse(d != 0 && (time.Duration(d) < minTolerance || time.Duration(d) > maxTolerance), at,
		"%v is out of bounds; it is from %v to 24h, or 0 for %v", d, minTolerance, defaultTolerance)
}

func (k check) bearer(at string, list []secret.Value) {
	k.secretsIfAny(at, list)
	k.headerTexts(at, list)
}

func (k check) basic(at string, list []Basic) {
	k.refuse(len(list) > maxSecrets, at, "there are %d; the most is %d", len(list), maxSecrets)
	for i, b := range list {
		one := fmt.Sprintf("%s[%d]", at, i)
		k.refuse(b.Password.IsEmpty(), one+".password", "must not be empty; write text or {file: path}")
		k.refuse(strings.Contains(b.User.Reveal(), ":"), one+".user", "it holds a colon, which would end it (RFC 7617, section 2)")
	}
}

func (k check) hmac(at string, o *HMAC) {
	k.secrets(at+".secret", o.Secret)
	k.header(at+".header", o.Header)
	k.refuse(o.Header == "", at+".header", "is missing; it names the header that has the signature")
	k.refuse(!httpguts.ValidHeaderFieldValue(o.Prefix) || len(o.Prefix) > maxHeader/2, at+".prefix", "%.20q can't be in a header", o.Prefix)
	k.header(at+".type_header", o.TypeHeader)
	k.header(at+".id_header", o.IDHeader)
	k.header(at+".timestamp.header", o.Timestamp.Header)
	k.choice(at+".algorithm", string(o.Algorithm), o.Algorithm.Values())
	k.choice(at+".encoding", string(o.Encoding), o.Encoding.Values())
	k.choice(at+".timestamp.format", string(o.Timestamp.Format), o.Timestamp.Format.Values())
	k.tolerance(at+".timestamp.tolerance", o.Timestamp.Tolerance)
	k.refuse(o.Timestamp.Header == "" && o.Timestamp != (Timestamp{}), at+".timestamp.header", "is missing; it names the header that has the timestamp")
	k.template(at, o)
}

// template complains of what isn't signed but should be.
func (k check) template(at string, o *HMAC) {
	k.refuse(len(o.Signed) > maxTemplate, at+".signed", "it has %d bytes; the most is %d", len(o.Signed), maxTemplate)
	t, err := o.template()
	if err != nil {
		k.refuse(true, at+".signed", "%v", err)
		return
	}
	stamped := t.has(partTimestamp, "")
	k.refuse(!t.has(partBody, ""), at+".signed", `needs "{body}": it is what the signature has to be of`)
	k.refuse(stamped && o.Timestamp.Header == "", at+".timestamp.header", `is missing; "{timestamp}" is in what is signed`)
	k.refuse(o.Timestamp.Header != "" && !stamped && !t.has(partHeader, o.Timestamp.Header), at+".signed",
		`needs "{timestamp}": one that isn't signed proves nothing`)
	k.refuse(t.has(partHeader, o.Header), at+".signed", "holds the header that has the signature itself")
	_, err = parsePublicURL(o.URL)
	k.refuse(o.URL != "" && err != nil, at+".url", "%v", err)
	k.refuse(o.URL == "" && t.has(partURL, ""), at+".url", `is missing; "{url}" is in what is signed`)
	k.refuse(o.URL != "" && !t.has(partURL, ""), at+".url", `it has no effect without "{url}" in what is signed`)
}

func (k check) header(at, name string) {
	k.refuse(name != "" && !httpguts.ValidHeaderFieldName(name), at, "%q is not the name of a header", name)
	k.refuse(http.CanonicalHeaderKey(name) == "Authorization" && strings.HasSuffix(at, "_header"), at, "it would show a credential")
}

func (k check) choice(at, value string, valid []string) {
	if value != "" {
		k.errors.OneOf(strings.TrimPrefix(k.path+at, "."), value, valid...)
	}
}

func (k check) ip(at string, o *IP) {
	k.refuse(len(o.Allow) == 0, at+".allow", "is missing; it lists the addresses and networks that requests may come from")
	k.networks(at+".allow", o.Allow)
	k.networks(at+".trusted_proxies", o.TrustedProxies)
}

func (k check) networks(at string, list []string) {
	k.refuse(len(list) > maxNetworks, at, "there are %d; the most is %d", len(list), maxNetworks)
	for i, text := range list {
		_, err := parseNetwork(text)
		k.refuse(err != nil, fmt.Sprintf("%s[%d]", at, i), "%v", err)
	}
}
