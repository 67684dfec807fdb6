package verify

import (
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"net/http"
	"strings"
	"time"
)

// stripe follows https://docs.stripe.com/webhooks#verify-manually.
type stripe struct {
	keys      keys
	tolerance time.Duration
}

const stripeHeader = "Stripe-Signature"

func newStripe(path string, o *Timed) scheme {
	return &stripe{newKeys(path+".secret", o.Secret), tolerance(o.Tolerance)}
}

func (s *stripe) verify(r *http.Request, body []byte, now time.Time) error {
	value, err := one(r, stripeHeader)
	if err != nil {
		return err
	}
	timestamp, given, err := parseStripe(value)
	if err != nil {
		return err
	}
	t, err := unix(timestamp, time.Second)
	if err != nil {
		return err
	}
	if err := near(t, now, s.tolerance); err != nil {
		return err
	}
	return s.keys.matchMAC(sha256.New, hex.EncodeToString, given, func(mac hash.Hash) {
		mac.Write([]byte(timestamp + "."))
		mac.Write(body)
	})
}

// parseStripe returns the timestamp and the signatures of scheme v1 of a header
// such as "t=1492774577,v1=5257…,v0=6ffb…". Other schemes are left out: v0 is
// no proof.
func parseStripe(value string) (timestamp string, signatures []string, err error) {
	parts := strings.Split(value, ",")
	if len(parts) > maxSignatures {
		return "", nil, refuse("header %s has more than %d parts", stripeHeader, maxSignatures)
	}
	for _, part := range parts {
		name, text, ok := strings.Cut(part, "=")
		switch {
		case !ok:
			return "", nil, refuse("header %s has a part without =", stripeHeader)
		case name == "t" && timestamp != "":
			return "", nil, refuse("header %s has two timestamps", stripeHeader)
		case name == "t":
			timestamp = text
		case name == "v1" && len(text) != hex.EncodedLen(sha256.Size):
			return "", nil, refuse("header %s has a signature of the wrong length", stripeHeader)
		case name == "v1":
			signatures = append(signatures, text)
		}
	}
	switch {
	case timestamp == "":
		return "", nil, refuse("header %s has no timestamp", stripeHeader)
	case len(signatures) == 0:
		return "", nil, refuse("header %s has no signature of scheme v1", stripeHeader)
	}
	return timestamp, signatures, nil
}

func (s *stripe) facts(_ *http.Request, body []byte) Facts {
	var event struct {
		ID   text `json:"id"`
		Type text `json:"type"`
	}
	decode(body, &event)
	return Facts{Type: string(event.Type), ID: string(event.ID)}
}
