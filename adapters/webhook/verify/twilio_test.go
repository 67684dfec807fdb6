package verify

import "testing"

// TestTwilioPorts has the URL configured with a port and without, and requests
// signed with it and without, as in Twilio's own libraries.
func TestTwilioPorts(t *testing.T) {
	const (
		without = "0/KCTR6DLpKmkAf8muzZqo1nDgQ="
		with443 = "EpDEmp1PyjDYp77YxYU3GILBWzE=" // of https://mycompany.com:443/…, by openssl as the sample
	)
	for _, tc := range []struct {
		url, signature string
		right          bool
	}{
		{"https://mycompany.com/myapp.php", without, true},
		{"https://mycompany.com/myapp.php", with443, true},
		{"https://mycompany.com:443/myapp.php", without, true},
		{"https://mycompany.com:443/myapp.php", with443, true},
		{"https://mycompany.com:8443/myapp.php", without, true},
		{"https://mycompany.com:8443/myapp.php", with443, false},
		{"http://mycompany.com/myapp.php", without, false},
		{"http://mycompany.com/myapp.php", with443, false},
		{"https://mycompany.com/other.php", without, false},
		{"https://mycompany.org/myapp.php", without, false},
		{"https://mycompany.com", without, false},
	} {
		v := verifier(t, Options{Twilio: &Twilio{Token: texts("12345"), URL: tc.url}}, 0)
		r := request("/elsewhere?foo=1&bar=2", "X-Twilio-Signature", tc.signature)
		if tc.right {
			accepts(t, tc.url+" "+tc.signature, v, r, twilioCall)
		} else {
			refuses(t, tc.url+" "+tc.signature, v, r, twilioCall)
		}
	}
}

func TestTwilioParameters(t *testing.T) {
	v := verifier(t, Options{Twilio: &Twilio{Token: texts("12345"), URL: "https://mycompany.com{path}"}}, 0)
	// printf 'https://mycompany.com/myapp.php?foo=1&bar=2MediaUrlaMediaUrlbToc' |
	// openssl dgst -sha1 -hmac 12345 -binary | openssl base64
	accepted := func(target, body string) bool {
		return v.Verify(request(target, "X-Twilio-Signature", "uLw6O1L1ch3hyLRE9Th0Q0DpjQw="), []byte(body)) == nil
	}
	const target = "/myapp.php?foo=1&bar=2"
	for body, want := range map[string]bool{
		"MediaUrl=a&MediaUrl=b&To=c":            true,
		"To=c&MediaUrl=b&MediaUrl=a":            true,
		"To=c&MediaUrl=b&MediaUrl=a&MediaUrl=b": true, // each value once
		"MediaUrl=b&To=c":                       false,
		"MediaUrl=a&MediaUrl=b&To=c&&":          false,
		"MediaUrl=a&MediaUrl=b&To=c&=":          false,
		"MediaUrl=a&MediaUrl=b&To=c&X":          false,
		"MediaUrl=a&MediaUrl=b;To=c":            false,
		"MediaUrl=a&MediaUrl=b&To=c%zz":         false,
	} {
		if got := accepted(target, body); got != want {
			t.Errorf("%s: got accepted %v, want %v", body, got, want)
		}
	}
	for _, other := range []string{"/myapp.php?foo=1&bar=3", "/myapp.php?bar=2&foo=1", "/myapp.php", "/myapp.php?foo=1&bar=2&", "/Myapp.php?foo=1&bar=2"} {
		if accepted(other, "MediaUrl=a&MediaUrl=b&To=c") {
			t.Errorf("%s: got it accepted, want another URL to be refused", other)
		}
	}
}

// TestTwilioWithoutParameters has nothing signed but the URL.
func TestTwilioWithoutParameters(t *testing.T) {
	v := verifier(t, Options{Twilio: &Twilio{Token: texts("12345"), URL: "https://mycompany.com{path}"}}, 0)
	// printf 'https://mycompany.com/myapp.php?foo=1&bar=2' | openssl dgst -sha1 -hmac 12345 -binary | openssl base64
	r := request("/myapp.php?foo=1&bar=2", "X-Twilio-Signature", "zYQTYrRWXE7LtzbG4PfP7/bkkGo=")
	accepts(t, "no body", v, r, "")
	for _, body := range []string{"&", "=", "&=", "{}", "a", " "} {
		refuses(t, body, v, r, body)
	}
}

// TestTwilioHash has two hashes of the body in a query that is signed.
func TestTwilioHash(t *testing.T) {
	json := sampleNamed(t, "twilio JSON")
	v := verifier(t, json.options(texts("12345")...), 0)
	r := json.request()
	r.URL.RawQuery += "&bodySHA256=0"
	// printf 'https://mycompany.com/myapp.php?foo=1&bar=2&bodySHA256=0a1f…6620&bodySHA256=0' | openssl dgst -sha1 -hmac 12345 -binary | openssl base64
	r.Header.Set("X-Twilio-Signature", "1pqGJv0W5uEazCtotHq5DHKynG8=")
	refuses(t, "two hashes", v, r, json.body)
}
