package poll

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"unicode/utf8"

	"sidestream/adapters"
)

// A format is how the body of an answer is read.
type format byte

const (
	asBytes   format = iota // as it came
	asText                  // as it came, if it is UTF-8
	asJSON                  // in canonical form
	asPerhaps               // as JSON if it is an object or an array, else as bytes
)

// formatOf returns the format of an answer's body, given Options.Body.
func formatOf(body string, a answer) format {
	if a.status == http.StatusNoContent || a.status == http.StatusResetContent {
		return asBytes // the empty document
	}
	switch body {
	case bodyJSON:
		return asJSON
	case bodyText:
		return asText
	case bodyBytes:
		return asBytes
	}
	media, _, _ := strings.Cut(a.header.Get("Content-Type"), ";")
	switch media = strings.ToLower(strings.TrimSpace(media)); {
	case media == "application/json", media == "text/json", strings.HasSuffix(media, "+json"):
		return asJSON
	case media == "", strings.HasPrefix(media, "text/"):
		return asPerhaps
	default:
		return asBytes
	}
}

// accept returns the Accept header that goes with Options.Body.
func accept(body string) string {
	switch body {
	case bodyText:
		return "text/plain, text/*;q=0.9, */*;q=0.5"
	case bodyBytes:
		return "*/*"
	default:
		return "application/json, */*;q=0.5"
	}
}

// A fingerprint tells bodies apart without keeping them.
type fingerprint [sha256.Size]byte

func fingerprintOf(f format, body []byte) (sum fingerprint) {
	h := sha256.New()
	h.Write([]byte{byte(f)})
	h.Write(body)
	h.Sum(sum[:0])
	return sum
}

// positionOf returns the position of a document: 16 bytes of its SHA-256.
// What is hashed before it keeps the positions of another canonical form, of
// another version, from being taken for these.
func positionOf(doc []byte) adapters.Position {
	h := sha256.New()
	h.Write([]byte("sidestream poll 1\n"))
	h.Write(doc)
	return adapters.Position(base64.RawURLEncoding.EncodeToString(h.Sum(nil)[:16]))
}

// canonical returns the document that a body stands for: equal documents
// have equal bytes. The error is errUnreadable. What is returned may be body
// itself.
func canonical(body []byte, f format) ([]byte, error) {
	switch f {
	case asBytes:
	case asJSON:
		doc, err := canonicalJSON(body)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errUnreadable, err)
		}
		return doc, nil
	case asText:
		if !utf8.Valid(body) {
			return nil, fmt.Errorf("%w: %w", errUnreadable, errUTF8)
		}
	case asPerhaps:
		start := bytes.TrimLeft(trimBOM(body), " \t\r\n")
		if len(start) > 0 && (start[0] == '{' || start[0] == '[') {
			if doc, err := canonicalJSON(body); err == nil {
				return doc, nil
			}
		}
	}
	return body, nil
}

var (
	errUTF8     = errors.New("it is not UTF-8")
	errTrailing = errors.New("it goes on after its end")
)

// canonicalJSON returns a JSON text with the keys of objects sorted by their
// bytes, without white space, and with every number as it was written. Of
// members with the same name the last one stands. What RFC 8259, section
// 8.2, calls unpredictable, half of a surrogate pair, becomes U+FFFD. A byte
// order mark is ignored (section 8.1).
//
// encoding/json bounds the depth of what it decodes.
func canonicalJSON(body []byte) ([]byte, error) {
	body = trimBOM(body)
	if !utf8.Valid(body) {
		return nil, errUTF8 // the decoder would replace what is wrong
	}
	in := json.NewDecoder(bytes.NewReader(body))
	in.UseNumber()
	var value any
	if err := in.Decode(&value); err != nil {
		return nil, err
	}
	if _, err := in.Token(); !errors.Is(err, io.EOF) {
		return nil, errTrailing
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(value); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), nil
}

func trimBOM(b []byte) []byte { return bytes.TrimPrefix(b, []byte("\xef\xbb\xbf")) }
