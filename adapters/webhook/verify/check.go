package verify

import (
	"fmt"
	"net/http"
	"slices"
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
	configured := slices.DeleteFunc(o.kinds(), func(k kind) bool { return !k.set })
	n := len(configured)
	var providers []string
	for _, kind := range configured {
		if kind.role == provider {
			providers = append(providers, kind.key)
		}
	}
	k.refuse(n == 0 && !o.None, "", "nothing says how requests prove where they come from; "+
		`configure github, hmac, bearer or another one, or write "none: true" to take them from anybody`)
	k.refuse(n > 0 && o.None, ".none", "it can't stand beside others, all of which a request would have to meet")
	k.refuse(len(providers) > 1, "", "a request has to meet all of %s, but comes from one of them; configure one", strings.Join(providers, ", "))
	k.refuse(len(o.Bearer) > 0 && len(o.Basic) > 0, ".basic", "a request can't have both bearer and basic; choose one")
	for _, kind := range configured {
		kind.checks(check{c, path + "." + kind.key})
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

func (k check) signed(o *Signed) { k.secrets(".secret", o.Secret) }

func (k check) timed(o *Timed) {
	k.secrets(".secret", o.Secret)
	k.tolerance(".tolerance", o.Tolerance)
}

func (k check) standardWebhooks(o *Timed) {
	k.timed(o)
	k.standardKeys(".secret", o.Secret)
}

func (k check) gitlab(o *GitLab) {
	k.refuse(len(o.Token)+len(o.SigningToken) == 0, "", "needs token, signing_token or both")
	k.secretsIfAny(".token", o.Token)
	k.headerTexts(".token", o.Token)
	k.secretsIfAny(".signing_token", o.SigningToken)
	k.standardKeys(".signing_token", o.SigningToken)
	k.tolerance(".tolerance", o.Tolerance)
	k.refuse(o.Tolerance != 0 && len(o.SigningToken) == 0, ".tolerance", "it has no effect without signing_token")
}

func (k check) twilio(o *Twilio) {
	k.secrets(".token", o.Token)
	_, err := parsePublicURL(o.URL)
	k.refuse(o.URL == "", ".url", "is missing; Twilio signs the URL that it sends requests to")
	k.refuse(o.URL != "" && err != nil, ".url", "%v", err)
}

func (k check) secrets(at string, list []secret.Value) {
	k.refuse(len(list) == 0, at, "is missing; write text or {file: path}")
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

func (k check) bearer(list []secret.Value) {
	k.secretsIfAny("", list)
	k.headerTexts("", list)
}

func (k check) basic(list []Basic) {
	k.refuse(len(list) > maxSecrets, "", "there are %d; the most is %d", len(list), maxSecrets)
	for i, b := range list {
		one := fmt.Sprintf("[%d]", i)
		k.refuse(b.Password.IsEmpty(), one+".password", "must not be empty; write text or {file: path}")
		k.refuse(strings.Contains(b.User.Reveal(), ":"), one+".user", "it holds a colon, which would end it (RFC 7617, section 2)")
	}
}

func (k check) hmac(o *HMAC) {
	k.secrets(".secret", o.Secret)
	k.header(".header", o.Header)
	k.refuse(o.Header == "", ".header", "is missing; it names the header that has the signature")
	k.refuse(!httpguts.ValidHeaderFieldValue(o.Prefix) || len(o.Prefix) > maxHeader/2, ".prefix", "%.20q can't be in a header", o.Prefix)
	k.header(".type_header", o.TypeHeader)
	k.header(".id_header", o.IDHeader)
	k.header(".timestamp.header", o.Timestamp.Header)
	k.choice(".algorithm", string(o.Algorithm), o.Algorithm.Values())
	k.choice(".encoding", string(o.Encoding), o.Encoding.Values())
	k.choice(".timestamp.format", string(o.Timestamp.Format), o.Timestamp.Format.Values())
	k.tolerance(".timestamp.tolerance", o.Timestamp.Tolerance)
	k.refuse(o.Timestamp.Header == "" && o.Timestamp != (Timestamp{}), ".timestamp.header", "is missing; it names the header that has the timestamp")
	k.template(o)
}

// template complains of what isn't signed but should be.
func (k check) template(o *HMAC) {
	k.refuse(len(o.Signed) > maxTemplate, ".signed", "it has %d bytes; the most is %d", len(o.Signed), maxTemplate)
	t, err := o.template()
	if err != nil {
		k.refuse(true, ".signed", "%v", err)
		return
	}
	stamped := t.has(partTimestamp, "")
	k.refuse(!t.has(partBody, ""), ".signed", `needs "{body}": it is what the signature has to be of`)
	k.refuse(stamped && o.Timestamp.Header == "", ".timestamp.header", `is missing; "{timestamp}" is in what is signed`)
	k.refuse(o.Timestamp.Header != "" && !stamped && !t.has(partHeader, o.Timestamp.Header), ".signed",
		`needs "{timestamp}": one that isn't signed proves nothing`)
	k.refuse(t.has(partHeader, o.Header), ".signed", "holds the header that has the signature itself")
	_, err = parsePublicURL(o.URL)
	k.refuse(o.URL != "" && err != nil, ".url", "%v", err)
	k.refuse(o.URL == "" && t.has(partURL, ""), ".url", `is missing; "{url}" is in what is signed`)
	k.refuse(o.URL != "" && !t.has(partURL, ""), ".url", `it has no effect without "{url}" in what is signed`)
}

func (k check) header(at, name string) {
	k.refuse(name != "" && !httpguts.ValidHeaderFieldName(name), at, "%q is not the name of a header", name)
	k.refuse(http.CanonicalHeaderKey(name) == "Authorization" && strings.HasSuffix(at, "_header"), at, "it would show a credential; name another header")
}

func (k check) choice(at, value string, valid []string) {
	if value != "" {
		k.errors.OneOf(strings.TrimPrefix(k.path+at, "."), value, valid...)
	}
}

func (k check) ip(o *IP) {
	k.refuse(len(o.Allow) == 0, ".allow", "is missing; it lists the addresses and networks that requests may come from")
	k.refuse(len(o.Allow) > maxNetworks, ".allow", "there are %d; the most is %d", len(o.Allow), maxNetworks)
	for i, text := range o.Allow {
		n, err := adapters.ParseNetwork(text)
		if err == nil && n.Bits() == 0 {
			err = fmt.Errorf("%s is everybody; leave ip out", text)
		}
		k.refuse(err != nil, fmt.Sprintf(".allow[%d]", i), "%v", err)
	}
}

func (k check) mtls(o *MTLS) {
	k.refuse(len(o.Names) > maxNames, ".names", "there are %d; the most is %d", len(o.Names), maxNames)
	for i, name := range o.Names {
		k.refuse(name == "" || strings.Contains(name, "*"), fmt.Sprintf(".names[%d]", i), "%q is not a whole name, such as sender.example.com", name)
	}
}
