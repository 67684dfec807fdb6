package verify

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"sidestream/adapters/secret"
)

// FuzzHeaders has somebody who doesn't know the secret write the headers that
// prove where a request is from, and the body, of each scheme.
func FuzzHeaders(f *testing.F) {
	verifiers := make([]*Verifier, len(samples))
	for i := range samples {
		s := &samples[i]
		verifiers[i] = verifier(f, s.options(secret.Text(s.other)), s.at)
		values := []string{"", "", ""}
		for j, name := range proofs(s) {
			values[j] = s.headers[name]
		}
		f.Add(uint8(i), values[0], values[1], values[2], "foo=1&bar=2", s.body) //nolint:gosec // there are fewer than 256
	}
	f.Fuzz(func(t *testing.T, i uint8, a, b, c, query, body string) {
		s := &samples[int(i)%len(samples)]
		r := s.request()
		r.URL.RawQuery = query
		for j, name := range proofs(s) {
			r.Header.Set(name, []string{a, b, c}[j])
		}
		v := verifiers[int(i)%len(samples)]
		if err := v.Verify(r, []byte(body)); err == nil && !knows(s, r) {
			t.Fatalf("%s: got it accepted, want it refused", s.name)
		}
		facts := v.Facts(r, []byte(body))
		if len(facts.ID) > 256 || strings.ContainsAny(facts.Type, "\r\n\x00") || strings.HasPrefix(facts.Type, "stream.") {
			t.Fatalf("%s: got facts %+v", s.name, facts)
		}
	})
}

// knows reports whether a header has the very secret in it that the verifier of
// FuzzHeaders has, where it is sent along.
func knows(s *sample, r *http.Request) bool {
	_, password, _ := r.BasicAuth()
	return s.bodyless && (password == s.other || strings.Contains(r.Header.Get(proofs(s)[0]), s.other))
}

// proofs returns the names of the headers of a sample that prove where it is
// from, at most three.
func proofs(s *sample) []string { return slices.Sorted(maps.Keys(s.headers)) }

func FuzzStripeHeader(f *testing.F) {
	f.Add("t=1492774577,v1=831d62d7bd2df8d729223b6dd340904065d11d41cb4a070864c1003ba950f320,v0=6ffb")
	f.Add("t=,v1=,=,")
	f.Fuzz(func(t *testing.T, header string) {
		timestamp, signatures, err := parseStripe(header)
		if err != nil {
			return
		}
		if !strings.Contains(header, "t="+timestamp) || timestamp == "" || len(signatures) == 0 || len(signatures) > maxSignatures {
			t.Fatalf("got time %q and %d signatures", timestamp, len(signatures))
		}
		for _, s := range signatures {
			if !strings.Contains(header, "v1="+s) || len(s) != 64 {
				t.Fatalf("got signature %q, want one of scheme v1", s)
			}
		}
	})
}

func FuzzStandardHeader(f *testing.F) {
	f.Add(otherV1 + " " + signatureV1 + " " + signatureV1a + " v2,")
	f.Add(", ,")
	f.Fuzz(func(t *testing.T, header string) {
		s, err := parseStandard("Webhook-Signature", header)
		if err != nil {
			return
		}
		if n := len(s.mac) + len(s.ed25519); n == 0 || n > maxSignatures {
			t.Fatalf("got %d signatures", n)
		}
		for version, list := range map[string][]string{"v1,": s.mac, "v1a,": s.ed25519} {
			for _, text := range list {
				if !slices.Contains(strings.Split(header, " "), version+text) {
					t.Fatalf("got signature %q, want one of version %s", text, version)
				}
			}
		}
	})
}

// FuzzTimestamp: there is one form of a time that is near to now.
func FuzzTimestamp(f *testing.F) {
	for _, text := range []string{"1700000000", "+1700000000", "01700000000", "1700000000000", "-1", "1e9", "999999999999999", "9999999999999999"} {
		f.Add(text)
	}
	now := time.Unix(1700000000, 0)
	f.Fuzz(func(t *testing.T, text string) {
		at, err := unix(text, time.Second)
		if err != nil || near(at, now, defaultTolerance) != nil {
			return
		}
		if at.Before(now.Add(-defaultTolerance)) || at.After(now.Add(defaultTolerance)) || strings.Trim(text, "0123456789") != "" {
			t.Fatalf("got %s for %q, want it refused", at, text)
		}
	})
}

// FuzzTemplate: the parts of a template are those of its text.
func FuzzTemplate(f *testing.F) {
	f.Add("{method}\n{path}?{query}\n{header:X-Id}\n{timestamp}\n{body}{url}")
	f.Add("{{}}")
	f.Fuzz(func(t *testing.T, text string) {
		parts, err := parseTemplate(text)
		if err != nil {
			return
		}
		var b strings.Builder
		for _, p := range parts {
			switch {
			case p.name == "":
				b.WriteString(p.text)
			case p.text == "":
				b.WriteString("{" + p.name + "}")
			default:
				b.WriteString("{" + p.name + ":" + p.text + "}")
			}
		}
		if b.String() != text {
			t.Fatalf("got the parts of %q, want those of %q", b.String(), text)
		}
	})
}

// FuzzPublicURL: a URL is put together as it was configured.
func FuzzPublicURL(f *testing.F) {
	f.Add("https://example.com:443/a%20b")
	f.Add("http://[2001:db8::1]:8080/x")
	f.Add("https://example.com{path}")
	f.Fuzz(func(t *testing.T, text string) {
		u, err := parsePublicURL(text)
		if err != nil {
			return
		}
		r := request("/p/q?x=1")
		want := strings.Replace(text, pathPlaceholder, "/p/q", 1) + "?x=1"
		if got := u.of(r); !strings.EqualFold(got, want) {
			t.Fatalf("got %s, want %s", got, want)
		}
		if with := u.variants(r); len(with) != 2 || with[0] == with[1] {
			t.Fatalf("got %q, want one with a port and one without", with)
		}
	})
}

// FuzzTwilioForm: a form that is taken has nothing in it that isn't signed.
func FuzzTwilioForm(f *testing.F) {
	f.Add(twilioCall)
	f.Add("&=&")
	f.Fuzz(func(t *testing.T, body string) {
		form, ok := twilioForm([]byte(body))
		if ok && form == "" && body != "" {
			t.Fatalf("got %q taken for an empty form", body)
		}
	})
}
