package verify

import (
	"net/http"
	"strings"
	"testing"
)

// TestHMACForms has requests that are signed in different ways, with a secret
// of k1 and a body of {"n":1}.
func TestHMACForms(t *testing.T) {
	const body = `{"n":1}`
	const target = "/in/a%20b?x=1"
	for _, tc := range []struct {
		name    string
		options HMAC
		headers []string // the first has the signature
		right   bool
	}{
		{
			// printf '2023-11-14T22:13:20Z|{"n":1}' | openssl dgst -sha1 -hmac k1
			"sha1, hex, RFC 3339",
			HMAC{Algorithm: algorithmSHA1, Signed: "{timestamp}|{body}", Timestamp: Timestamp{Header: "T", Format: formatRFC3339}},
			[]string{"S", "dcb2240625d0cd2a15218cba290358e72a20451c", "T", "2023-11-14T22:13:20Z"}, true,
		},
		{
			"hex in upper case",
			HMAC{Algorithm: algorithmSHA1, Signed: "{timestamp}|{body}", Timestamp: Timestamp{Header: "T", Format: formatRFC3339}},
			[]string{"S", "DCB2240625D0CD2A15218CBA290358E72A20451C", "T", "2023-11-14T22:13:20Z"}, true,
		},
		{
			"the same time in another form",
			HMAC{Algorithm: algorithmSHA1, Signed: "{timestamp}|{body}", Timestamp: Timestamp{Header: "T", Format: formatRFC3339}},
			[]string{"S", "dcb2240625d0cd2a15218cba290358e72a20451c", "T", "2023-11-14T23:13:20+01:00"}, false,
		},
		{
			"no time",
			HMAC{Algorithm: algorithmSHA1, Signed: "{timestamp}|{body}", Timestamp: Timestamp{Header: "T", Format: formatRFC3339}},
			[]string{"S", "dcb2240625d0cd2a15218cba290358e72a20451c", "T", "1700000000"}, false,
		},
		{
			// printf '1700000000000:{"n":1}' | openssl dgst -sha384 -hmac k1 -binary | openssl base64 -A
			"sha384, base64, milliseconds",
			HMAC{Algorithm: algorithmSHA384, Encoding: encodingBase64, Signed: "{header:T}:{body}", Timestamp: Timestamp{Header: "t", Format: formatMilliseconds}},
			[]string{"S", "pSppng9mNpHE1/HsGxLb+S9mpCqOhXyVD1r+85Fi6inp4x9+y2VjVkqehF4N2En8", "T", "1700000000000"}, true,
		},
		{
			"milliseconds for seconds",
			HMAC{Algorithm: algorithmSHA384, Encoding: encodingBase64, Signed: "{header:T}:{body}", Timestamp: Timestamp{Header: "t"}},
			[]string{"S", "pSppng9mNpHE1/HsGxLb+S9mpCqOhXyVD1r+85Fi6inp4x9+y2VjVkqehF4N2En8", "T", "1700000000000"}, false,
		},
		{
			// printf 'https://hooks.example.com/in/a%%20b?x=1{"n":1}' | openssl dgst -sha256 -hmac k1 -binary | openssl base64 -A | tr '+/' '-_'
			"sha256, base64url, URL",
			HMAC{Encoding: encodingBase64URL, Signed: "{url}{body}", URL: "https://hooks.example.com{path}"},
			[]string{"S", "fHLTuh7cx-WQ70Cm-vIivBKpGZz62_fY5W20zZ8tz-k="}, true,
		},
		{
			"without padding",
			HMAC{Encoding: encodingBase64URL, Signed: "{url}{body}", URL: "https://hooks.example.com{path}"},
			[]string{"S", "fHLTuh7cx-WQ70Cm-vIivBKpGZz62_fY5W20zZ8tz-k"}, true,
		},
		{
			"in the other alphabet",
			HMAC{Encoding: encodingBase64URL, Signed: "{url}{body}", URL: "https://hooks.example.com{path}"},
			[]string{"S", "fHLTuh7cx+WQ70Cm+vIivBKpGZz62/fY5W20zZ8tz+k="}, false,
		},
		{
			"of another URL",
			HMAC{Encoding: encodingBase64URL, Signed: "{url}{body}", URL: "https://hooks.example.com/in"},
			[]string{"S", "fHLTuh7cx-WQ70Cm-vIivBKpGZz62_fY5W20zZ8tz-k="}, false,
		},
		{
			// printf 'example.com{"n":1}' | openssl dgst -sha256 -hmac k1
			"the host",
			HMAC{Signed: "{header:Host}{body}"},
			[]string{"S", "b71a55a8502b4ef4a731f655fb5defeb2020d26b605775762c09ad70c4a561c4"}, true,
		},
		{
			"a header that is missing",
			HMAC{Signed: "{header:X-Host}{body}"},
			[]string{"S", "b71a55a8502b4ef4a731f655fb5defeb2020d26b605775762c09ad70c4a561c4"}, false,
		},
		{
			"a prefix that is missing",
			HMAC{Signed: "{header:Host}{body}", Prefix: "sha256="},
			[]string{"S", "b71a55a8502b4ef4a731f655fb5defeb2020d26b605775762c09ad70c4a561c4"}, false,
		},
		{
			"nothing but the prefix",
			HMAC{Signed: "{header:Host}{body}", Prefix: "sha256="},
			[]string{"S", "sha256="}, false,
		},
		{
			"nothing but padding",
			HMAC{Encoding: encodingBase64, Signed: "{header:Host}{body}"},
			[]string{"S", "===="}, false,
		},
	} {
		tc.options.Header, tc.options.Secret = "S", texts("k1")
		v := verifier(t, Options{HMAC: &tc.options}, 1700000000)
		r := request(target, tc.headers...)
		if tc.right {
			accepts(t, tc.name, v, r, body)
			refuses(t, tc.name+", of another body", v, r, body+" ")
		} else {
			refuses(t, tc.name, v, r, body)
		}
	}
}

// TestHMACSignsTheRequest changes what is signed beside the body.
func TestHMACSignsTheRequest(t *testing.T) {
	s := sampleNamed(t, "hmac")
	v := verifier(t, s.options(texts(s.secret)...), s.at)
	for what, edit := range map[string]func(*http.Request){
		"method":              func(r *http.Request) { r.Method = http.MethodPut },
		"path":                func(r *http.Request) { r.URL.Path += "/" },
		"query":               func(r *http.Request) { r.URL.RawQuery = "x=2" },
		"path in other words": func(r *http.Request) { r.URL.Path, r.URL.RawPath = "/hooks/a b", "/hooks/%61%20b" },
	} {
		r := s.request()
		edit(r)
		refuses(t, what, v, r, s.body)
	}
}

func TestTemplates(t *testing.T) {
	for text, want := range map[string]string{
		"{bodi}":           `"{bodi}" is not known; valid: {body}, {timestamp}`,
		"{}":               `"{}" is not known`,
		"{body:x}":         `"{body:x}" is not known`,
		"{header}":         `write "{header:Name}"`,
		"{header:}":        `write "{header:Name}"`,
		"{header:a b}":     `write "{header:Name}"`,
		"{body":            "without the brace that ends it",
		"a}{body}":         "without the brace that begins it",
		"{body}{{body}}":   `"{{body}" is not known`,
		" {body} {BODY} x": `"{BODY}" is not known`,
	} {
		if _, err := parseTemplate(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want it to say %s", text, err, want)
		}
	}
}
