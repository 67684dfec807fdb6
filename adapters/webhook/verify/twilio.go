package verify

import (
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"hash"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// twilio follows https://www.twilio.com/docs/usage/webhooks/webhooks-security.
type twilio struct {
	keys keys
	url  publicURL
}

const twilioHeader = "X-Twilio-Signature"

func newTwilio(path string, o *Twilio) scheme {
	u, _ := parsePublicURL(o.URL) // Check has nothing against it
	return &twilio{newKeys(path+".token", o.Token), u}
}

func (s *twilio) verify(r *http.Request, body []byte, _ time.Time) error {
	given, err := one(r, twilioHeader)
	if err != nil {
		return err
	}
	params := twilioParams(r, body)
	if len(params) == 0 {
		return refuse("the body is neither a form nor what the query's bodySHA256 says")
	}
	var signed []string
	for _, u := range s.url.variants(r) {
		for _, p := range params {
			signed = append(signed, u+p)
		}
	}
	return s.keys.match(func(_ key, text string) (bool, error) {
		right := false
		for _, each := range signed {
			right = isMAC(sha1.New, []byte(text), base64.StdEncoding.EncodeToString, []string{given},
				func(mac hash.Hash) { mac.Write([]byte(each)) }) || right
		}
		return right, nil
	})
}

// twilioParams returns what may follow the URL in what is signed: the names and
// values of a form, or, since the URL says what the body's hash is, nothing.
func twilioParams(r *http.Request, body []byte) []string {
	var params []string
	hashes := r.URL.Query()["bodySHA256"]
	if form, ok := twilioForm(body); ok && (len(body) > 0 || len(hashes) == 0) {
		params = append(params, form)
	}
	sum := sha256.Sum256(body)
	if len(hashes) == 1 && hashes[0] == hex.EncodeToString(sum[:]) {
		params = append(params, "")
	}
	return params
}

// twilioForm returns the names and values of a form, one after the other: sorted
// by name and value, and each value of a name once, as Twilio's own libraries
// have it. A form with a pair of nothing is refused, since that wouldn't show.
func twilioForm(body []byte) (string, bool) {
	if len(body) == 0 {
		return "", true
	}
	if slices.Contains(strings.Split(string(body), "&"), "") {
		return "", false
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return "", false
	}
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(form)) {
		values := form[name]
		slices.Sort(values)
		for _, value := range slices.Compact(values) {
			if name+value == "" {
				return "", false
			}
			b.WriteString(name + value)
		}
	}
	return b.String(), true
}

// facts knows deliveries by a header that Twilio sends along:
// https://www.twilio.com/docs/usage/webhooks/webhooks-connection-overrides.
func (s *twilio) facts(r *http.Request, _ []byte) Facts {
	return Facts{ID: told(r, "I-Twilio-Idempotency-Token")}
}
