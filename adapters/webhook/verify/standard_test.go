package verify

import (
	"strings"
	"testing"
)

const (
	signatureV1  = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
	signatureV1a = "v1a,fldxM4gAKugP6nnt1hdz3sgGfZ6d99nzrMFnZOELIxbzEHoVmAb2ADpkJK7zgPePmPsle0zV9jSeGlHFG2NVAw=="
	otherV1a     = "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg=="
	otherV1      = "v1,Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc="
)

func TestStandardSignatureLists(t *testing.T) {
	mac, public := sampleNamed(t, "standard v1"), sampleNamed(t, "standard v1a")
	for _, tc := range []struct {
		name      string
		secrets   []string
		signature string
		right     bool
	}{
		{"last of several", []string{mac.secret}, otherV1 + " " + otherV1 + " " + signatureV1, true},
		{"first of several", []string{mac.secret}, signatureV1 + " " + otherV1, true},
		{"beside one of a version to come", []string{mac.secret}, "v2,x v9,y,z " + signatureV1, true},
		{"both kinds, for the one", []string{mac.secret}, signatureV1a + " " + signatureV1, true},
		{"both kinds, for the other", []string{public.secret}, signatureV1 + " " + signatureV1a, true},
		{"a right one between wrong ones of ed25519", []string{public.secret}, otherV1a + " " + signatureV1a + " " + otherV1a, true},
		{"wrong ones of ed25519", []string{public.secret}, otherV1a + " v1a,x v1a,", false},
		{"keys of both kinds", []string{public.secret, mac.secret}, signatureV1, true},
		{"secret without prefix", []string{strings.TrimPrefix(mac.secret, "whsec_")}, signatureV1, true},
		{"none that is right", []string{mac.secret}, otherV1 + " " + otherV1, false},
		{"of the other kind", []string{mac.secret}, signatureV1a, false},
		{"of the other kind too", []string{public.secret}, signatureV1, false},
		{"the public key as a secret", []string{public.secret}, strings.Replace(signatureV1a, "v1a,", "v1,", 1), false},
		{"of another version", []string{mac.secret}, strings.Replace(signatureV1, "v1,", "v2,", 1), false},
		{"of no version", []string{mac.secret}, strings.TrimPrefix(signatureV1, "v1,"), false},
		{"by commas", []string{mac.secret}, otherV1 + "," + signatureV1, false},
		{"two spaces", []string{mac.secret}, otherV1 + "  " + signatureV1, false},
		{"too many", []string{mac.secret}, strings.Repeat(otherV1+" ", maxSignatures) + signatureV1, false},
		{"as many as can be", []string{mac.secret}, strings.Repeat(otherV1+" ", maxSignatures-1) + signatureV1, true},
	} {
		v := verifier(t, mac.options(texts(tc.secrets...)...), mac.at)
		r := mac.request()
		r.Header.Set("Webhook-Signature", tc.signature)
		if tc.right {
			accepts(t, tc.name, v, r, mac.body)
		} else {
			refuses(t, tc.name, v, r, mac.body)
		}
	}
}

// TestStandardOlderNames has the headers by the names of before the
// specification; those of both at once are not mixed.
func TestStandardOlderNames(t *testing.T) {
	s := sampleNamed(t, "standard v1")
	v := verifier(t, s.options(texts(s.secret)...), s.at)
	r := request("/", "svix-id", s.headers["Webhook-Id"], "svix-timestamp", s.headers["Webhook-Timestamp"], "svix-signature", signatureV1)
	accepts(t, "older names", v, r, s.body)
	if got, want := v.Facts(r, []byte(`{"type":"contact.created"}`)), s.headers["Webhook-Id"]; got.ID != want || got.Type != "contact.created" {
		t.Errorf("got %+v, want id %s and type contact.created", got, want)
	}
	r.Header.Del("Svix-Signature")
	r.Header.Set("Webhook-Signature", signatureV1)
	refuses(t, "mixed names", v, r, s.body)
}

// TestStandardFullStop has an id from which it can't be told where it ends.
func TestStandardFullStop(t *testing.T) {
	s := sampleNamed(t, "standard v1")
	v := verifier(t, s.options(texts(s.secret)...), s.at)
	// printf 'msg.1.1614265330.{"test": 2432232314}' |
	// openssl dgst -sha256 -mac HMAC -macopt hexkey:31f290f6bf06298aab4f08d43c3f082cf648a362da2da4b0 -binary | openssl base64
	r := request("/", "webhook-id", "msg.1", "webhook-timestamp", "1614265330",
		"webhook-signature", "v1,g84Fr48iNUfeALcCN2LRQhSXJZ7Hs8lJ7kFx76VJCDU=")
	if why := refuses(t, "full stop", v, r, s.body); !strings.Contains(why, "full stop") {
		t.Errorf("got %q, want it to name the full stop", why)
	}
}

// TestStandardKeyInFile has a file whose content is no key.
func TestStandardKeyInFile(t *testing.T) {
	s := sampleNamed(t, "standard v1")
	for content, want := range map[string]string{
		"whsec_hunter2!":                        "not whsec_ or whpk_ followed by base64",
		"whpk_aHVudGVyMg==":                     "not a public key",
		"whsk_aHVudGVyMmh1bnRlcjJodW50ZXIyaHU=": "private key",
		"whsec_":                                "not whsec_",
	} {
		v := verifier(t, s.options(inFile(t, content)), s.at)
		cannotTell(t, content, v, s.request(), s.body, want)
		if err := v.Verify(s.request(), []byte(s.body)); strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "aHVudGVy") {
			t.Errorf("got %v, want the secret not to show", err)
		}
	}
}

func TestGitLabBothTokens(t *testing.T) {
	s := sampleNamed(t, "gitlab signed")
	o := s.options(texts(s.secret)...)
	o.GitLab.Token = texts("mysecret")
	v := verifier(t, o, s.at)
	r := s.request()
	refuses(t, "signature alone", v, r, s.body)
	r.Header.Set("X-Gitlab-Token", "mysecret")
	accepts(t, "both", v, r, s.body)
	r.Header.Del("Webhook-Signature")
	refuses(t, "token alone", v, r, s.body)
}

// TestGitLabSharedID doesn't take what several webhooks share for a delivery's
// own id.
func TestGitLabSharedID(t *testing.T) {
	s := sampleNamed(t, "gitlab token")
	v := verifier(t, s.options(texts(s.secret)...), s.at)
	r := s.request()
	r.Header.Del("Idempotency-Key")
	if got := v.Facts(r, nil).ID; got != "" {
		t.Errorf("got id %q, want none", got)
	}
}
