package verify

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"hash"
	"net/http"
	"slices"
	"strings"
	"time"

	"sidestream/adapters"
	"sidestream/adapters/secret"
)

// standard follows the specification of Standard Webhooks,
// https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md.
type standard struct {
	keys      keys
	tolerance time.Duration
}

func newStandardWebhooks(path string, o *Timed) scheme {
	return newStandard(path+".secret", o.Secret, o.Tolerance)
}

func newStandard(path string, values []secret.Value, d adapters.Duration) *standard {
	return &standard{newKeys(path, values), tolerance(d)}
}

// standardPrefixes are what the names of the headers begin with: those of the
// specification, and those that were in use before there was one.
var standardPrefixes = []string{"Webhook-", "Svix-"}

func standardPrefix(r *http.Request) string {
	names := make([]string, len(standardPrefixes))
	for i, prefix := range standardPrefixes {
		names[i] = prefix + "Signature"
	}
	return strings.TrimSuffix(present(r, names...), "Signature")
}

func (s *standard) verify(r *http.Request, body []byte, now time.Time) error {
	prefix := standardPrefix(r)
	id, err := one(r, prefix+"Id")
	if err != nil {
		return err
	}
	if strings.Contains(id, ".") { // the full stop ends it in what is signed
		return refuse("header %sId holds a full stop", prefix)
	}
	timestamp, err := one(r, prefix+"Timestamp")
	if err != nil {
		return err
	}
	value, err := one(r, prefix+"Signature")
	if err != nil {
		return err
	}
	given, err := parseStandard(prefix+"Signature", value)
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
	signed := slices.Concat([]byte(id+"."+timestamp+"."), body)
	return s.keys.match(func(k key, text string) (bool, error) {
		key, err := parseStandardKey(text)
		if err != nil {
			return false, k.unusable(err.Error())
		}
		return key.signed(signed, given), nil
	})
}

// standardSignatures are those of one header, by how they were made: texts in
// base64.
type standardSignatures struct{ mac, ed25519 []string }

// parseStandard returns the signatures in a header such as
// "v1,K5oZfzN9… v1a,hnO3f9T8…". Those of other versions are left out.
func parseStandard(name, value string) (standardSignatures, error) {
	var s standardSignatures
	parts := strings.Split(value, " ")
	if len(parts) > maxSignatures {
		return s, refuse("header %s has more than %d signatures", name, maxSignatures)
	}
	for _, part := range parts {
		version, text, ok := strings.Cut(part, ",")
		switch {
		case !ok:
			return s, refuse("header %s has a signature without version", name)
		case version == "v1":
			s.mac = append(s.mac, text)
		case version == "v1a":
			s.ed25519 = append(s.ed25519, text)
		}
	}
	if len(s.mac)+len(s.ed25519) == 0 {
		return s, refuse("header %s has no signature of version v1 or v1a", name)
	}
	return s, nil
}

// A standardKey is for one kind of signatures. One of its fields is set.
type standardKey struct {
	mac    []byte
	public ed25519.PublicKey
}

// parseStandardKey reads a secret such as "whsec_MfKQ9r8G…", the prefix of
// which may be left out, or a public key such as "whpk_…". An error doesn't show
// it.
func parseStandardKey(text string) (standardKey, error) {
	encoded, isPublic := strings.CutPrefix(text, "whpk_")
	if !isPublic {
		encoded = strings.TrimPrefix(text, "whsec_")
	}
	key, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(encoded, "="))
	switch {
	case strings.HasPrefix(text, "whsk_"):
		return standardKey{}, errors.New("it is the sender's private key, whsk_; what belongs here is the public one, whpk_")
	case err != nil || len(key) == 0:
		return standardKey{}, errors.New("it is not whsec_ or whpk_ followed by base64")
	case isPublic && len(key) != ed25519.PublicKeySize:
		return standardKey{}, errors.New("it is not a public key of ed25519, which has 32 bytes")
	case isPublic:
		return standardKey{public: key}, nil
	default:
		return standardKey{mac: key}, nil
	}
}

// signed reports whether one of the signatures is that of text under the key.
func (k standardKey) signed(text []byte, given standardSignatures) bool {
	if k.public == nil {
		return isMAC(sha256.New, k.mac, base64.StdEncoding.EncodeToString, given.mac, func(mac hash.Hash) { mac.Write(text) })
	}
	right := false
	for _, g := range given.ed25519 {
		signature, err := base64.StdEncoding.Strict().DecodeString(g)
		right = err == nil && ed25519.Verify(k.public, text, signature) || right
	}
	return right
}

func (s *standard) facts(r *http.Request, body []byte) Facts {
	var event struct {
		Type text `json:"type"`
	}
	decode(body, &event)
	return Facts{Type: string(event.Type), ID: told(r, standardPrefix(r)+"Id")}
}
