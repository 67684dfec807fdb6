package verify

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"sidestream/adapters"
	"sidestream/adapters/secret"
	"sidestream/proxy/strictyaml"
)

const hidden = "hunter2"

// complaints returns what is wrong with options that stand at webhook.verify.
func complaints(o *Options) error {
	var c adapters.OptionErrors
	o.Check(&c, "webhook.verify")
	return c.Err()
}

func TestBadOptions(t *testing.T) {
	signed := func(s ...string) *Signed { return &Signed{Secret: texts(s...)} }
	generic := func(edit func(*HMAC)) Options {
		h := HMAC{Secret: texts(hidden), Header: "X-Signature"}
		edit(&h)
		return Options{HMAC: &h}
	}
	twilio := func(url string) Options { return Options{Twilio: &Twilio{Token: texts(hidden), URL: url}} }
	networks := func(allow ...string) Options { return Options{IP: &IP{Allow: allow}} }
	many := texts(slices.Repeat([]string{hidden}, maxSecrets+1)...)
	for _, tc := range []struct {
		name    string
		options Options
		path    string
		want    string
	}{
		{"nothing", Options{}, "", "nothing says how"},
		{"nothing in lists", Options{Bearer: texts(), Basic: []Basic{}}, "", "nothing says how"},
		{"none beside another", Options{None: true, GitHub: signed(hidden)}, ".none", "can't stand beside"},
		{"two providers", Options{GitHub: signed(hidden), Gitea: signed(hidden)}, "", "all of github, gitea"},
		{"bearer and basic", Options{Bearer: texts(hidden), Basic: []Basic{{Password: secret.Text(hidden)}}}, ".basic", "choose one"},

		{"no secret", Options{GitHub: signed()}, ".github.secret", "is missing; write text or {file: path}"},
		{"no secret of Shopify", Options{Shopify: signed()}, ".shopify.secret", "is missing"},
		{"no secret of Bitbucket", Options{Bitbucket: signed()}, ".bitbucket.secret", "is missing"},
		{"no secret of Gitea", Options{Gitea: signed()}, ".gitea.secret", "is missing"},
		{"no secret of Stripe", Options{Stripe: &Timed{}}, ".stripe.secret", "is missing"},
		{"no secret of Slack", Options{Slack: &Timed{}}, ".slack.secret", "is missing"},
		{"no secret of Standard Webhooks", Options{StandardWebhooks: &Timed{}}, ".standard_webhooks.secret", "is missing"},
		{"no token of Twilio", Options{Twilio: &Twilio{URL: "https://a.test"}}, ".twilio.token", "is missing"},
		{"no token of GitLab", Options{GitLab: &GitLab{}}, ".gitlab", "needs token, signing_token or both"},
		{"no secret of hmac", generic(func(h *HMAC) { h.Secret = nil }), ".hmac.secret", "is missing"},
		{"empty secret", Options{GitHub: signed(hidden, "")}, ".github.secret[1]", "must not be empty"},
		{"absent secret", Options{Slack: &Timed{Secret: []secret.Value{{}}}}, ".slack.secret[0]", "must not be empty"},
		{"empty token of GitLab", Options{GitLab: &GitLab{Token: texts("")}}, ".gitlab.token[0]", "must not be empty"},
		{"empty token of Twilio", Options{Twilio: &Twilio{Token: texts(""), URL: "https://a.test"}}, ".twilio.token[0]", "must not be empty"},
		{"empty bearer", Options{Bearer: texts("")}, ".bearer[0]", "must not be empty"},
		{"empty password", Options{Basic: []Basic{{User: secret.Text("a")}}}, ".basic[0].password", "must not be empty"},
		{"many secrets", Options{GitHub: &Signed{Secret: many}}, ".github.secret", "the most is 16"},
		{"many tokens", Options{Bearer: many}, ".bearer", "the most is 16"},
		{"many passwords", Options{Basic: make([]Basic, maxSecrets+1)}, ".basic", "the most is 16"},

		{"bearer with a line end", Options{Bearer: texts(hidden + "\n")}, ".bearer[0]", "can't be in a header"},
		{"bearer with space", Options{Bearer: texts(" " + hidden)}, ".bearer[0]", "begins or ends with space"},
		{"token with space", Options{GitLab: &GitLab{Token: texts(hidden + " ")}}, ".gitlab.token[0]", "begins or ends with space"},
		{"user with a colon", Options{Basic: []Basic{{User: secret.Text("a:b"), Password: secret.Text(hidden)}}}, ".basic[0].user", "colon"},

		{"no key", Options{StandardWebhooks: &Timed{Secret: texts(hidden + "!")}}, ".standard_webhooks.secret[0]", "followed by base64"},
		{"a private key", Options{StandardWebhooks: &Timed{Secret: texts("whsk_" + hidden)}}, ".standard_webhooks.secret[0]", "private key"},
		{"a short public key", Options{StandardWebhooks: &Timed{Secret: texts("whpk_AAAA")}}, ".standard_webhooks.secret[0]", "32 bytes"},
		{"no signing token", Options{GitLab: &GitLab{SigningToken: texts("whsec_")}}, ".gitlab.signing_token[0]", "followed by base64"},
		{"tolerance without signing token", Options{GitLab: &GitLab{Token: texts(hidden), Tolerance: adapters.Duration(time.Minute)}}, ".gitlab.tolerance", "no effect"},

		{"short tolerance", Options{Stripe: &Timed{Secret: texts(hidden), Tolerance: adapters.Duration(time.Second - 1)}}, ".stripe.tolerance", "from 1s to 24h"},
		{"long tolerance", Options{Slack: &Timed{Secret: texts(hidden), Tolerance: adapters.Duration(24*time.Hour + 1)}}, ".slack.tolerance", "from 1s to 24h"},
		{"negative tolerance", Options{StandardWebhooks: &Timed{Secret: texts("QUFB"), Tolerance: -1}}, ".standard_webhooks.tolerance", "from 1s to 24h"},
		{"tolerance of GitLab", Options{GitLab: &GitLab{SigningToken: texts("QUFB"), Tolerance: 1}}, ".gitlab.tolerance", "from 1s to 24h"},
		{"tolerance of hmac", generic(func(h *HMAC) { h.Timestamp = Timestamp{Header: "T", Tolerance: 1} }), ".hmac.timestamp.tolerance", "from 1s to 24h"},

		{"no URL", twilio(""), ".twilio.url", "is missing"},
		{"relative URL", twilio("/hooks"), ".twilio.url", "absolute http or https URL"},
		{"other scheme", twilio("ftp://a.test/hooks"), ".twilio.url", "absolute http or https URL"},
		{"no host", twilio("https:///hooks"), ".twilio.url", "absolute http or https URL"},
		{"user in URL", twilio("https://me:" + hidden + "@a.test/hooks"), ".twilio.url", "must not hold a user"},
		{"query in URL", twilio("https://a.test/hooks?a=" + hidden), ".twilio.url", "must not have a query"},
		{"empty query in URL", twilio("https://a.test/hooks?"), ".twilio.url", "must not have a query"},
		{"fragment in URL", twilio("https://a.test/hooks#a"), ".twilio.url", "must not have a query"},
		{"no port", twilio("https://a.test:/hooks"), ".twilio.url", "in full and plainly"},
		{"escaped host", twilio("https://a%C3%A9.test/hooks"), ".twilio.url", "in full and plainly"},
		{"path in the middle", twilio("https://a.test{path}/hooks"), ".twilio.url", `only for "{path}" at its end`},
		{"other braces", twilio("https://a.test/{tenant}"), ".twilio.url", `only for "{path}" at its end`},
		{"two slashes", twilio("https://a.test/{path}"), ".twilio.url", "slash before"},

		{"no header", generic(func(h *HMAC) { h.Header = "" }), ".hmac.header", "is missing"},
		{"bad header", generic(func(h *HMAC) { h.Header = "X Signature" }), ".hmac.header", "not the name of a header"},
		{"bad type header", generic(func(h *HMAC) { h.TypeHeader = "X:" }), ".hmac.type_header", "not the name of a header"},
		{"credential as id", generic(func(h *HMAC) { h.IDHeader = "authorization" }), ".hmac.id_header", "show a credential; name another header"},
		{"bad time header", generic(func(h *HMAC) { h.Timestamp.Header = "é" }), ".hmac.timestamp.header", "not the name of a header"},
		{"bad prefix", generic(func(h *HMAC) { h.Prefix = "a\n" }), ".hmac.prefix", "can't be in a header"},
		{"algorithm", generic(func(h *HMAC) { h.Algorithm = "md5" }), ".hmac.algorithm", "valid: sha1, sha256, sha384, sha512"},
		{"encoding", generic(func(h *HMAC) { h.Encoding = "base32" }), ".hmac.encoding", "valid: hex, base64, base64url"},
		{"format", generic(func(h *HMAC) { h.Timestamp = Timestamp{Header: "T", Format: "days"} }), ".hmac.timestamp.format", "valid: seconds, milliseconds, rfc3339"},
		{"time without header", generic(func(h *HMAC) { h.Timestamp.Format = formatSeconds }), ".hmac.timestamp.header", "is missing"},
		{"unknown part", generic(func(h *HMAC) { h.Signed = "{bodi}" }), ".hmac.signed", `"{bodi}" is not known`},
		{"long template", generic(func(h *HMAC) { h.Signed = "{body}" + strings.Repeat("x", maxTemplate) }), ".hmac.signed", "the most is 4096"},
		{"body not signed", generic(func(h *HMAC) { h.Signed = "{path}" }), ".hmac.signed", `needs "{body}"`},
		{"time not signed", generic(func(h *HMAC) { h.Timestamp.Header = "T" }), ".hmac.signed", `needs "{timestamp}"`},
		{"signed time without header", generic(func(h *HMAC) { h.Signed = "{timestamp}{body}" }), ".hmac.timestamp.header", "is missing"},
		{"signature of itself", generic(func(h *HMAC) { h.Signed = "{header:x-signature}{body}" }), ".hmac.signed", "the signature itself"},
		{"signed URL without URL", generic(func(h *HMAC) { h.Signed = "{url}{body}" }), ".hmac.url", "is missing"},
		{"URL that isn't signed", generic(func(h *HMAC) { h.URL = "https://a.test" }), ".hmac.url", "no effect"},
		{"bad URL", generic(func(h *HMAC) { h.Signed, h.URL = "{url}{body}", "a.test" }), ".hmac.url", "absolute http or https URL"},

		{"nobody", networks(), ".ip.allow", "is missing"},
		{"everybody", networks("0.0.0.0/0"), ".ip.allow[0]", "0.0.0.0/0 is everybody; leave ip out"},
		{"everybody of IPv6", networks("::/0"), ".ip.allow[0]", "::/0 is everybody; leave ip out"},
		{"a name", networks("192.0.2.1", "localhost"), ".ip.allow[1]", "neither an address nor a network"},
		{"bits behind", networks("192.0.2.1/24"), ".ip.allow[0]", "the network is 192.0.2.0/24"},
		{"a zone", networks("fe80::1%eth0"), ".ip.allow[0]", "zone"},
		{"IPv4 as IPv6", networks("::ffff:192.0.2.0/120"), ".ip.allow[0]", "write it as such"},
		{"many networks", networks(slices.Repeat([]string{"192.0.2.1"}, maxNetworks+1)...), ".ip.allow", "the most is 1000"},
		{"wildcard", Options{MTLS: &MTLS{Names: []string{"a", "*.example.org"}}}, ".mtls.names[1]", "not a whole name, such as sender.example.com"},
		{"no name", Options{MTLS: &MTLS{Names: []string{""}}}, ".mtls.names[0]", "not a whole name"},
		{"many names", Options{MTLS: &MTLS{Names: slices.Repeat([]string{"a"}, maxNames+1)}}, ".mtls.names", "the most is 100"},
	} {
		err := complaints(&tc.options)
		var option *adapters.OptionError
		found := false
		for _, each := range unjoin(err) {
			if errors.As(each, &option) && option.Path == "webhook.verify"+tc.path && strings.Contains(option.Err.Error(), tc.want) {
				found = true
			}
		}
		if !found {
			t.Errorf("%s: got %v, want webhook.verify%s: … %s", tc.name, err, tc.path, tc.want)
		}
		if err != nil && strings.Contains(err.Error(), hidden) {
			t.Errorf("%s: got %v, want no secret in it", tc.name, err)
		}
	}
}

func unjoin(err error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()
	}
	return nil
}

// TestNothingConfigured: even options that nobody has checked let nobody in.
func TestNothingConfigured(t *testing.T) {
	for what, o := range map[string]Options{
		"nothing":   {},
		"no secret": {GitHub: &Signed{}},
		"no token":  {GitLab: &GitLab{}},
		"no key":    {StandardWebhooks: &Timed{}},
		"no range":  {IP: &IP{}},
	} {
		for i := range samples {
			refuses(t, what, New(&o), samples[i].request(), samples[i].body)
		}
	}
}

func TestYAML(t *testing.T) {
	file := inFile(t, "It's a Secret to Everybody").File
	for yaml, name := range map[string]string{
		"{github: It's a Secret to Everybody}":                                      "github",
		"{github: {secret: It's a Secret to Everybody}}":                            "github",
		"{github: {secret: [old, It's a Secret to Everybody]}}":                     "github",
		"{github: {secret: {file: " + file + "}}}":                                  "github",
		"{github: {secret: [old, {file: " + file + "}]}}":                           "github",
		"{bitbucket: It's a Secret to Everybody}":                                   "bitbucket",
		"{gitlab: {token: mysecret}}":                                               "gitlab token",
		"{stripe: whsec_test_secret}":                                               "stripe",
		"{stripe: {secret: [whsec_test_secret], tolerance: 1s}}":                    "stripe",
		"{slack: 8f742231b10e8888abcd99yyyzzz85a5}":                                 "slack event",
		"{standard_webhooks: MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw}":                     "standard v1",
		"{twilio: {token: '12345', url: 'https://mycompany.com{path}'}}":            "twilio form",
		"{bearer: mF_9.B5f-4.1JqM}":                                                 "bearer",
		"{bearer: [one, mF_9.B5f-4.1JqM]}":                                          "bearer",
		"{basic: {user: Aladdin, password: open sesame}}":                           "basic",
		"{basic: [{user: a, password: b}, {user: Aladdin, password: open sesame}]}": "basic",
		"{none: true}":             "shopify",
		"{ip: {allow: 192.0.2.1}}": "shopify",
		"{hmac: {secret: hush, header: X-Shopify-Hmac-Sha256, encoding: base64}}": "shopify",
	} {
		d, err := strictyaml.Parse("routes.yaml", []byte(yaml), strictyaml.References{})
		if err != nil {
			t.Fatalf("%s: %v", yaml, err)
		}
		var o Options
		d.Decode(d.Root, "", &o)
		if err := d.Err(); err != nil {
			t.Errorf("%s: got %v, want no error", yaml, err)
			continue
		}
		s := sampleNamed(t, name)
		r := s.request()
		r.RemoteAddr = "192.0.2.1:4711"
		accepts(t, yaml, verifier(t, o, s.at), r, s.body)
	}
}

// TestAllMustBeMet has one scheme beside another.
func TestAllMustBeMet(t *testing.T) {
	s := sampleNamed(t, "github")
	o := s.options(texts(s.secret)...)
	o.IP = &IP{Allow: []string{"192.0.2.1"}}
	o.Bearer = texts("one")
	v := verifier(t, o, 0)
	with := func(peer, token string) *http.Request {
		r := s.request()
		r.RemoteAddr = peer
		r.Header.Set("Authorization", token)
		return r
	}
	accepts(t, "all", v, with("192.0.2.1:1", "Bearer one"), s.body)
	for want, why := range map[string]string{
		"ip: 192.0.2.2 is not allowed": refuses(t, "another address", v, with("192.0.2.2:1", "Bearer one"), s.body),
		"bearer: no secret matches":    refuses(t, "another token", v, with("192.0.2.1:1", "Bearer two"), s.body),
		"github: no secret matches":    refuses(t, "another body", v, with("192.0.2.1:1", "Bearer one"), s.body+"!"),
	} {
		if why != want {
			t.Errorf("got reason %q, want %q", why, want)
		}
	}
	if got := v.Facts(with("192.0.2.1:1", "Bearer one"), nil); got.Type != "push" {
		t.Errorf("got %+v, want type push", got)
	}
}
