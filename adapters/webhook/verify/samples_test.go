package verify

import (
	"cmp"
	"net/http"
	"testing"

	"sidestream/adapters/secret"
)

// A sample is a genuine request. The values of its headers were published by
// the provider, or computed with the openssl command that stands beside them.
type sample struct {
	name    string
	options func(secrets ...secret.Value) Options
	secret  string
	other   string // a secret of the same form
	at      int64  // when it came, in seconds since 1970
	target  string
	body    string
	headers map[string]string // those that prove where it is from
	about   map[string]string // others
	facts   Facts

	stamped  bool // has a timestamp
	bodyless bool // proves nothing of the body
	lenient  bool // has more than one form of the same proof
}

func (s *sample) request() *http.Request {
	r := request(cmp.Or(s.target, "/hooks"))
	for _, headers := range []map[string]string{s.headers, s.about} {
		for name, value := range headers {
			r.Header.Set(name, value)
		}
	}
	return r
}

// verifier returns the one that takes the sample.
func (s *sample) verifier(tb testing.TB) *Verifier {
	tb.Helper()
	return verifier(tb, s.options(secret.Text(s.secret)), s.at)
}

// all returns all samples.
func all() []*sample {
	list := make([]*sample, len(samples))
	for i := range samples {
		list[i] = &samples[i]
	}
	return list
}

const slackCommand = "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V" +
	"&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=" +
	"&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN" +
	"&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"

const twilioCall = "CallSid=CA1234567890ABCDE&Caller=%2B12349013030&Digits=1234&From=%2B12349013030&To=%2B18005551212"

const standardBody = `{"test": 2432232314}`

// samples are one of each scheme at least.
var samples = []sample{
	{
		// https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries#testing-the-webhook-payload-validation
		name:    "github",
		options: func(s ...secret.Value) Options { return Options{GitHub: &Signed{Secret: s}} },
		secret:  "It's a Secret to Everybody", other: "it's a secret to everybody",
		body:    "Hello, World!",
		headers: map[string]string{"X-Hub-Signature-256": "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"},
		about:   map[string]string{"X-GitHub-Event": "push", "X-GitHub-Delivery": "72d3162e-cc78-11e3-81ab-4c9367dc0958"},
		facts:   Facts{Type: "push", ID: "72d3162e-cc78-11e3-81ab-4c9367dc0958"},
	},
	{
		name:    "gitlab token",
		options: func(s ...secret.Value) Options { return Options{GitLab: &GitLab{Token: s}} },
		secret:  "mysecret", other: "mysecre7",
		body:    `{"object_kind":"push"}`,
		headers: map[string]string{"X-Gitlab-Token": "mysecret"},
		about: map[string]string{
			"X-Gitlab-Event": "Push Hook", "X-Gitlab-Event-UUID": "13792a34-cac6-4fda-95a8-c58e00a3954e",
			"Idempotency-Key": "f5e5f430-f57b-4e6e-9fac-d9128cd7232f",
		},
		facts:    Facts{Type: "Push Hook", ID: "f5e5f430-f57b-4e6e-9fac-d9128cd7232f"},
		bodyless: true,
	},
	{
		// The token encodes testtesttesttesttesttesttesttest.
		// printf 'f5e5f430-f57b-4e6e-9fac-d9128cd7232f.1744100000.{"object_kind":"push"}' |
		// openssl dgst -sha256 -hmac testtesttesttesttesttesttesttest -binary | openssl base64
		name:    "gitlab signed",
		options: func(s ...secret.Value) Options { return Options{GitLab: &GitLab{SigningToken: s}} },
		secret:  "whsec_dGVzdHRlc3R0ZXN0dGVzdHRlc3R0ZXN0dGVzdHRlc3Q=", other: "whsec_dGVzdHRlc3R0ZXN0dGVzdHRlc3R0ZXN0dGVzdHRlc3U=",
		at:   1744100000,
		body: `{"object_kind":"push"}`,
		headers: map[string]string{
			"Webhook-Id": "f5e5f430-f57b-4e6e-9fac-d9128cd7232f", "Webhook-Timestamp": "1744100000",
			"Webhook-Signature": "v1,cP2Z3Pt66ynvi7bHAWTXveX1DLjU2HKQhsDcLsSMXlc=",
		},
		about:   map[string]string{"X-Gitlab-Event": "Push Hook"},
		facts:   Facts{Type: "Push Hook", ID: "f5e5f430-f57b-4e6e-9fac-d9128cd7232f"},
		stamped: true,
	},
	{
		// printf '1492774577.{"id":"evt_1NG8Du2eZvKYlo2CUI79vXWy","object":"event","type":"customer.created"}' |
		// openssl dgst -sha256 -hmac whsec_test_secret
		name:    "stripe",
		options: func(s ...secret.Value) Options { return Options{Stripe: &Timed{Secret: s}} },
		secret:  "whsec_test_secret", other: "test_secret",
		at:      1492774577,
		body:    `{"id":"evt_1NG8Du2eZvKYlo2CUI79vXWy","object":"event","type":"customer.created"}`,
		headers: map[string]string{"Stripe-Signature": "t=1492774577,v1=831d62d7bd2df8d729223b6dd340904065d11d41cb4a070864c1003ba950f320"},
		facts:   Facts{Type: "customer.created", ID: "evt_1NG8Du2eZvKYlo2CUI79vXWy"},
		stamped: true,
	},
	{
		// https://docs.slack.dev/authentication/verifying-requests-from-slack
		name:    "slack command",
		options: func(s ...secret.Value) Options { return Options{Slack: &Timed{Secret: s}} },
		secret:  "8f742231b10e8888abcd99yyyzzz85a5", other: "8f742231b10e8888abcd99yyyzzz85a6",
		at:   1531420618,
		body: slackCommand,
		headers: map[string]string{
			"X-Slack-Request-Timestamp": "1531420618",
			"X-Slack-Signature":         "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503",
		},
		about:   map[string]string{"Content-Type": "application/x-www-form-urlencoded"},
		stamped: true,
	},
	{
		// printf 'v0:1531420618:{"type":"event_callback","event_id":"Ev08MFMKH6","event":{"type":"app_mention"}}' |
		// openssl dgst -sha256 -hmac 8f742231b10e8888abcd99yyyzzz85a5
		name:    "slack event",
		options: func(s ...secret.Value) Options { return Options{Slack: &Timed{Secret: s}} },
		secret:  "8f742231b10e8888abcd99yyyzzz85a5", other: "8f742231b10e8888abcd99yyyzzz85a6",
		at:   1531420618,
		body: `{"type":"event_callback","event_id":"Ev08MFMKH6","event":{"type":"app_mention"}}`,
		headers: map[string]string{
			"X-Slack-Request-Timestamp": "1531420618",
			"X-Slack-Signature":         "v0=1aa9e61f576a0ab26dd5386ac155a1b9fb5aac5d2d24302e65936df4ff0566eb",
		},
		about:   map[string]string{"Content-Type": "application/json"},
		facts:   Facts{Type: "app_mention", ID: "Ev08MFMKH6"},
		stamped: true,
	},
	{
		// The vector of the specification's own libraries:
		// https://github.com/standard-webhooks/standard-webhooks/blob/main/libraries/go/webhook_test.go
		name:    "standard v1",
		options: func(s ...secret.Value) Options { return Options{StandardWebhooks: &Timed{Secret: s}} },
		secret:  "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", other: "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
		at:   1614265330,
		body: standardBody,
		headers: map[string]string{
			"Webhook-Id": "msg_p5jXN8AQM9LWM0D4loKWxJek", "Webhook-Timestamp": "1614265330",
			"Webhook-Signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
		},
		facts:   Facts{ID: "msg_p5jXN8AQM9LWM0D4loKWxJek"},
		stamped: true,
	},
	{
		// With the key pair of RFC 8032, section 7.1, test 1; the other one is of test 2.
		// printf '302e020100300506032b6570042204209d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60' | xxd -r -p > key
		// openssl pkey -inform DER -in key -pubout -outform DER | tail -c 32 | openssl base64
		// printf 'msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330.{"test": 2432232314}' > message
		// openssl pkeyutl -sign -rawin -keyform DER -inkey key -in message | openssl base64 -A
		name:    "standard v1a",
		options: func(s ...secret.Value) Options { return Options{StandardWebhooks: &Timed{Secret: s}} },
		secret:  "whpk_11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=", other: "whpk_PUAXw+hDiVqStwqnTRt+vJyYLM8uxJaMwM1V8Sr0Zgw=",
		at:   1614265330,
		body: standardBody,
		headers: map[string]string{
			"Webhook-Id": "msg_p5jXN8AQM9LWM0D4loKWxJek", "Webhook-Timestamp": "1614265330",
			"Webhook-Signature": "v1a,fldxM4gAKugP6nnt1hdz3sgGfZ6d99nzrMFnZOELIxbzEHoVmAb2ADpkJK7zgPePmPsle0zV9jSeGlHFG2NVAw==",
		},
		facts:   Facts{ID: "msg_p5jXN8AQM9LWM0D4loKWxJek"},
		stamped: true,
	},
	{
		// printf '{"id":820982911946154508,"email":"jon@example.com"}' |
		// openssl dgst -sha256 -hmac hush -binary | openssl base64
		name:    "shopify",
		options: func(s ...secret.Value) Options { return Options{Shopify: &Signed{Secret: s}} },
		secret:  "hush", other: "hus",
		body:    `{"id":820982911946154508,"email":"jon@example.com"}`,
		headers: map[string]string{"X-Shopify-Hmac-Sha256": "D0UMXmhjwBRi4y66TmhJrDlhQABD7zI2fm3p6/QLMo8="},
		about: map[string]string{
			"X-Shopify-Topic": "orders/create", "X-Shopify-Webhook-Id": "b54557e4-bdd9-4b37-8a5f-bf7d70bcd043",
			"X-Shopify-Event-Id": "98880550-7158-44d4-b7cd-2c97c8a091b5",
		},
		facts: Facts{Type: "orders/create", ID: "b54557e4-bdd9-4b37-8a5f-bf7d70bcd043"},
	},
	{
		// https://www.twilio.com/docs/usage/security, "Test the validity of your webhook signature";
		// printf 'https://mycompany.com/myapp.php?foo=1&bar=2CallSidCA1234567890ABCDECaller+12349013030Digits1234From+12349013030To+18005551212' |
		// openssl dgst -sha1 -hmac 12345 -binary | openssl base64
		name: "twilio form",
		options: func(s ...secret.Value) Options {
			return Options{Twilio: &Twilio{Token: s, URL: "https://mycompany.com{path}"}}
		},
		secret: "12345", other: "12346",
		target:  "/myapp.php?foo=1&bar=2",
		body:    twilioCall,
		headers: map[string]string{"X-Twilio-Signature": "0/KCTR6DLpKmkAf8muzZqo1nDgQ="},
		about:   map[string]string{"I-Twilio-Idempotency-Token": "ea3fc87b-6d2c-4c1f-9ba5-cb2fc8f2bf6d"},
		facts:   Facts{ID: "ea3fc87b-6d2c-4c1f-9ba5-cb2fc8f2bf6d"},
	},
	{
		// The vector of Twilio's own libraries:
		// https://github.com/twilio/twilio-go/blob/main/client/request_validator_test.go
		name: "twilio JSON",
		options: func(s ...secret.Value) Options {
			return Options{Twilio: &Twilio{Token: s, URL: "https://mycompany.com/myapp.php"}}
		},
		secret: "12345", other: "12346",
		target:  "/hooks/twilio?foo=1&bar=2&bodySHA256=0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620",
		body:    `{"property": "value", "boolean": true}`,
		headers: map[string]string{"X-Twilio-Signature": "a9nBmqA0ju/hNViExpshrM61xv4="},
	},
	{
		// https://support.atlassian.com/bitbucket-cloud/docs/manage-webhooks/, "Test the webhook payload validation"
		name:    "bitbucket",
		options: func(s ...secret.Value) Options { return Options{Bitbucket: &Signed{Secret: s}} },
		secret:  "It's a Secret to Everybody", other: "it's a secret to everybody",
		body:    "Hello World!",
		headers: map[string]string{"X-Hub-Signature": "sha256=a4771c39fbe90f317c7824e83ddef3caae9cb3d976c214ace1f2937e133263c9"},
		about:   map[string]string{"X-Event-Key": "repo:push", "X-Request-UUID": "98bb9e1e-0e40-4b51-9a52-9a0ad4d1b6c8"},
		facts:   Facts{Type: "repo:push", ID: "98bb9e1e-0e40-4b51-9a52-9a0ad4d1b6c8"},
	},
	{
		// printf '{"ref":"refs/heads/main"}' | openssl dgst -sha256 -hmac 'gitea secret'
		name:    "gitea",
		options: func(s ...secret.Value) Options { return Options{Gitea: &Signed{Secret: s}} },
		secret:  "gitea secret", other: "gitea secret ",
		body:    `{"ref":"refs/heads/main"}`,
		headers: map[string]string{"X-Gitea-Signature": "99c6f92cc56487df18837fe9b006e3d7d668359bd88294e510b1857b3fa56c9c"},
		about:   map[string]string{"X-Gitea-Event": "push", "X-Gitea-Delivery": "f6266f16-1bf3-46a5-9ea4-602e06ead473"},
		facts:   Facts{Type: "push", ID: "f6266f16-1bf3-46a5-9ea4-602e06ead473"},
	},
	{
		// printf 'POST\n/hooks/a%%20b?x=1\nid-1\n1700000000\n{"n":1}' | openssl dgst -sha512 -hmac k1 -binary | openssl base64 -A
		name: "hmac",
		options: func(s ...secret.Value) Options {
			return Options{HMAC: &HMAC{
				Secret: s, Algorithm: algorithmSHA512, Encoding: encodingBase64, Header: "x-signature", Prefix: "v=",
				Signed:     "{method}\n{path}?{query}\n{header:X-Id}\n{timestamp}\n{body}",
				Timestamp:  Timestamp{Header: "X-Time"},
				TypeHeader: "X-Type", IDHeader: "X-Id",
			}}
		},
		secret: "k1", other: "k2",
		at:     1700000000,
		target: "/hooks/a%20b?x=1",
		body:   `{"n":1}`,
		headers: map[string]string{
			"X-Id": "id-1", "X-Time": "1700000000",
			"X-Signature": "v=noOiLul0YkHWug2jhrNqRyg/QIsDGzne+pSZt4CgM/dwypQxYLCXX41/8oPkAxZdrRm2hbaXNooC08SU4Rcntw==",
		},
		about:   map[string]string{"X-Type": "counted"},
		facts:   Facts{Type: "counted", ID: "id-1"},
		stamped: true,
		lenient: true,
	},
	{
		// RFC 6750, section 2.1
		name:    "bearer",
		options: func(s ...secret.Value) Options { return Options{Bearer: s} },
		secret:  "mF_9.B5f-4.1JqM", other: "mF_9.B5f-4.1JqN",
		body:     "anything",
		headers:  map[string]string{"Authorization": "Bearer mF_9.B5f-4.1JqM"},
		bodyless: true,
		lenient:  true,
	},
	{
		// RFC 7617, section 2
		name: "basic",
		options: func(s ...secret.Value) Options {
			var o Options
			for _, password := range s {
				o.Basic = append(o.Basic, Basic{User: secret.Text("Aladdin"), Password: password})
			}
			return o
		},
		secret: "open sesame", other: "open  sesame",
		body:     "anything",
		headers:  map[string]string{"Authorization": "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="},
		bodyless: true,
		lenient:  true,
	},
}

// sampleNamed returns the sample of this name.
func sampleNamed(tb testing.TB, name string) *sample {
	tb.Helper()
	for i := range samples {
		if samples[i].name == name {
			return &samples[i]
		}
	}
	tb.Fatalf("there is no sample %q", name)
	return nil
}
