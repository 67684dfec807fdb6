package verify

import (
	"fmt"
	"hash"
	"net/http"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// A template is what is signed.
type template []part

// A part of a template is a text as it is, or, if it has a name, what stands
// for that.
type part struct{ name, text string }

// The names of parts.
const (
	partBody      = "body"
	partTimestamp = "timestamp"
	partHeader    = "header" // with the header's name as text
	partMethod    = "method"
	partPath      = "path"
	partQuery     = "query"
	partURL       = "url"
)

// parseTemplate reads a template as it is configured: "{timestamp}.{body}".
func parseTemplate(text string) (template, error) {
	var t template
	for text != "" {
		if text[0] != '{' {
			i := strings.IndexAny(text, "{}")
			if i < 0 {
				i = len(text)
			}
			if i == 0 {
				return nil, fmt.Errorf("%q is without the brace that begins it", text)
			}
			t, text = append(t, part{text: text[:i]}), text[i:]
			continue
		}
		inner, rest, ok := strings.Cut(text[1:], "}")
		if !ok {
			return nil, fmt.Errorf("%q is without the brace that ends it", text)
		}
		name, of, hasOf := strings.Cut(inner, ":")
		switch {
		case name == partHeader && httpguts.ValidHeaderFieldName(of):
		case name == partHeader:
			return nil, fmt.Errorf(`"{%s}" doesn't name a header; write "{header:Name}"`, inner)
		case hasOf:
			return nil, unknownPart(inner)
		case name == partBody, name == partTimestamp, name == partMethod, name == partPath, name == partQuery, name == partURL:
		default:
			return nil, unknownPart(inner)
		}
		t, text = append(t, part{name, of}), rest
	}
	return t, nil
}

func unknownPart(inner string) error {
	return fmt.Errorf(`"{%s}" is not known; valid: {body}, {timestamp}, {header:Name}, {method}, {path}, {query}, {url}`, inner)
}

// has reports whether something of this name is in t, or this header.
func (t template) has(name, header string) bool {
	for _, p := range t {
		if p.name == name && strings.EqualFold(p.text, header) {
			return true
		}
	}
	return false
}

// fill returns t with everything but the body replaced by what it is of r.
func (t template) fill(r *http.Request, timestamp string, u publicURL) (template, error) {
	filled := make(template, len(t))
	for i, p := range t {
		switch p.name {
		case partTimestamp:
			p = part{text: timestamp}
		case partHeader:
			value, err := one(r, p.text)
			if err != nil {
				return nil, err
			}
			p = part{text: value}
		case partMethod:
			p = part{text: r.Method}
		case partPath:
			p = part{text: r.URL.EscapedPath()}
		case partQuery:
			p = part{text: r.URL.RawQuery}
		case partURL:
			p = part{text: u.of(r)}
		}
		filled[i] = p
	}
	return filled, nil
}

// write writes a filled template.
func (t template) write(mac hash.Hash, body []byte) {
	for _, p := range t {
		if p.name == partBody {
			mac.Write(body)
			continue
		}
		mac.Write([]byte(p.text))
	}
}
