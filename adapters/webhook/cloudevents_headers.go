package webhook

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"sidestream/adapters"
	"sidestream/adapters/webhook/verify"
)

// headerPrefix starts the names of the headers that have a CloudEvent's
// attributes in binary mode, in canonical form.
const headerPrefix = "Ce-"

// isBinary reports whether a request has a CloudEvent's attributes as headers:
// one of those that there must be.
func isBinary(h http.Header) bool {
	for _, name := range []string{"Specversion", "Id", "Source", "Type"} {
		if len(h[headerPrefix+name]) > 0 {
			return true
		}
	}
	return false
}

// binary returns the event of a request whose body is the data of a CloudEvent
// and whose headers are its attributes (HTTP binding, section 3.1).
func (f *factory) binary(h http.Header, c content, body []byte, facts verify.Facts) ([]adapters.Event, error) {
	known := make(attributes)
	for header, values := range h {
		name, ok := strings.CutPrefix(header, headerPrefix)
		if !ok {
			continue
		}
		name = strings.ToLower(name)
		switch {
		case name == "datacontenttype":
			return nil, malformed(errors.New("its datacontenttype is the header Content-Type, and not ce-datacontenttype"))
		case len(values) > 1:
			return nil, malformed(fmt.Errorf("the header ce-%s is there %d times", clip(name), len(values)))
		}
		value, err := headerText(values[0])
		if err != nil {
			return nil, malformed(fmt.Errorf("the header ce-%s %w", clip(name), err))
		}
		if err := known.put(name, value); err != nil {
			return nil, malformed(err)
		}
	}
	if value := h.Get("Content-Type"); value != "" {
		if err := known.put("datacontenttype", value); err != nil {
			return nil, malformed(err)
		}
	}
	e, err := known.event()
	if err != nil {
		return nil, malformed(err)
	}
	if e.Data, err = f.payload(c, body); err != nil {
		return nil, err
	}
	e.ID = cmp.Or(facts.ID, e.ID)
	e.Headers = f.public(h)
	return []adapters.Event{e}, nil
}

var (
	errQuotes  = errors.New("has a quoted text that doesn't end")
	errPercent = errors.New("is not percent-encoded UTF-8")
)

// headerText returns the value of an attribute that stands in a header (HTTP
// binding, section 3.1.3.2): quoted text (RFC 7230, section 3.2.6) without its
// quotes, and then decoded once.
func headerText(value string) (string, error) {
	text, err := unquote(value)
	if err != nil {
		return "", err
	}
	text, err = url.PathUnescape(text)
	if err != nil || !utf8.ValidString(text) {
		return "", errPercent
	}
	return text, nil
}

// unquote replaces the quoted texts in value by what they stand for.
func unquote(value string) (string, error) {
	if !strings.Contains(value, `"`) {
		return value, nil
	}
	var out strings.Builder
	quoted, escaped := false, false
	for i := range len(value) {
		switch b := value[i]; {
		case escaped:
			out.WriteByte(b)
			escaped = false
		case quoted && b == '\\':
			escaped = true
		case b == '"':
			quoted = !quoted
		default:
			out.WriteByte(b)
		}
	}
	if quoted {
		return "", errQuotes
	}
	return out.String(), nil
}
