package verify

import (
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"hash"
	"net/http"
	"strings"
	"time"
)

// generic is the scheme of [HMAC].
type generic struct {
	options   HMAC
	keys      keys
	signed    template
	url       publicURL
	tolerance time.Duration
}

func newGeneric(path string, o *HMAC) scheme {
	signed, _ := o.template() // Check has nothing against it, nor against the URL
	u, _ := parsePublicURL(o.URL)
	return &generic{*o, newKeys(path+".secret", o.Secret), signed, u, tolerance(o.Timestamp.Tolerance)}
}

func (o *HMAC) template() (template, error) {
	if o.Signed == "" {
		return template{{name: partBody}}, nil
	}
	return parseTemplate(o.Signed)
}

func (s *generic) verify(r *http.Request, body []byte, now time.Time) error {
	value, err := one(r, s.options.Header)
	if err != nil {
		return err
	}
	given, ok := strings.CutPrefix(value, s.options.Prefix)
	if !ok {
		return refuse("header %s doesn't start with %s", s.options.Header, s.options.Prefix)
	}
	timestamp, err := s.timestamp(r, now)
	if err != nil {
		return err
	}
	signed, err := s.signed.fill(r, timestamp, s.url)
	if err != nil {
		return err
	}
	given, encode := s.options.Encoding.canonical(given)
	return s.keys.matchMAC(s.options.Algorithm.hash(), encode, []string{given}, func(mac hash.Hash) { signed.write(mac, body) })
}

// timestamp returns that of r as it is there, if it is near enough to now.
func (s *generic) timestamp(r *http.Request, now time.Time) (string, error) {
	o := &s.options.Timestamp
	if o.Header == "" {
		return "", nil
	}
	text, err := one(r, o.Header)
	if err != nil {
		return "", err
	}
	t, err := o.Format.parse(text)
	if err != nil {
		return "", err
	}
	return text, near(t, now, s.tolerance)
}

func (f Format) parse(text string) (time.Time, error) {
	switch f {
	case formatMilliseconds:
		return unix(text, time.Millisecond)
	case formatRFC3339:
		t, err := time.Parse(time.RFC3339, text)
		if err != nil {
			return time.Time{}, refuse("the timestamp is not of RFC 3339")
		}
		return t, nil
	default:
		return unix(text, time.Second)
	}
}

func (a Algorithm) hash() func() hash.Hash {
	switch a {
	case algorithmSHA1:
		return sha1.New
	case algorithmSHA384:
		return sha512.New384
	case algorithmSHA512:
		return sha512.New
	default:
		return sha256.New
	}
}

// canonical returns a signature in the form that encode gives to one.
func (e Encoding) canonical(given string) (canonical string, encode func([]byte) string) {
	switch e {
	case encodingBase64:
		return strings.TrimRight(given, "="), base64.RawStdEncoding.EncodeToString
	case encodingBase64URL:
		return strings.TrimRight(given, "="), base64.RawURLEncoding.EncodeToString
	default:
		return strings.ToLower(given), hex.EncodeToString
	}
}

func (s *generic) facts(r *http.Request, _ []byte) Facts {
	return Facts{Type: told(r, s.options.TypeHeader), ID: told(r, s.options.IDHeader)}
}
