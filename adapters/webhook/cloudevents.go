package webhook

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"sidestream/adapters"
)

// Media types of CloudEvents (https://github.com/cloudevents/spec, the HTTP
// binding, sections 3.2 and 3.3, and the JSON format).
const (
	mediaPrefix = "application/cloudevents"
	mediaEvent  = mediaPrefix + "+json"
	mediaBatch  = mediaPrefix + "-batch+json"
)

// maxAttributes is how many attributes a CloudEvent may have: far more than any
// has.
const maxAttributes = 256

// attributes are those of a CloudEvent by their names, those without a value
// left out: texts, numbers ([json.Number]) and booleans.
type attributes map[string]any

// text returns the attribute called name if it is a text, else "".
func (a attributes) text(name string) string {
	text, _ := a[name].(string)
	return text
}

// put adds an attribute, if one may be called so and have this value.
func (a attributes) put(name string, value any) error {
	if !attributeName(name) {
		return fmt.Errorf("%q is no name of an attribute: lower-case letters and digits", clip(name))
	}
	if len(a) == maxAttributes {
		return fmt.Errorf("it has more than %d attributes", maxAttributes)
	}
	switch value := value.(type) {
	case string:
		if !utf8.ValidString(value) || strings.ContainsFunc(value, unicode.IsControl) {
			return fmt.Errorf("the attribute %s is not one line of text", clip(name))
		}
	case json.Number, bool:
	default:
		return fmt.Errorf("the attribute %s is not a text, a number or a boolean", clip(name))
	}
	a[name] = value
	return nil
}

func attributeName(name string) bool {
	return name != "" && name != "data" && strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789") == ""
}

// event returns the event with these attributes, without data, or what is wrong
// with them (CloudEvents 1.0.2, section "Context Attributes").
func (a attributes) event() (adapters.Event, error) {
	if v, ok := a["specversion"]; ok && v != "1.0" {
		return adapters.Event{}, errors.New("its specversion is not 1.0")
	}
	for _, name := range []string{"specversion", "id", "source", "type"} {
		if a.text(name) == "" {
			return adapters.Event{}, fmt.Errorf("the attribute %s is missing, empty or no text", name)
		}
	}
	for _, name := range []string{"subject", "time", "dataschema", "datacontenttype"} {
		if _, ok := a[name]; ok && a.text(name) == "" {
			return adapters.Event{}, fmt.Errorf("the attribute %s is empty or no text", name)
		}
	}
	if !isReference(a.text("source")) {
		return adapters.Event{}, errors.New("the attribute source is no URI-reference")
	}
	if schema := a.text("dataschema"); schema != "" && !isReference(schema) {
		return adapters.Event{}, errors.New("the attribute dataschema is no URI")
	}
	e := adapters.Event{
		ID:   identifier(a.text("source"), a.text("id")),
		Type: a.text("type"),
		Meta: a,
	}
	if text := a.text("time"); text != "" {
		t, err := time.Parse(time.RFC3339, strings.ToUpper(text))
		if err != nil {
			return adapters.Event{}, errors.New("the attribute time is no time as in RFC 3339")
		}
		e.Time = t
	}
	return e, nil
}

// isReference reports whether s is a URI-reference (RFC 3986, section 4.1), as
// far as it matters.
func isReference(s string) bool {
	_, err := url.Parse(s)
	return err == nil && !strings.ContainsAny(s, ` "<>\^{|}`+"`")
}

// identifier returns what tells a CloudEvent from all others: its source, which
// has no spaces, and its id.
func identifier(source, id string) string { return adapters.BoundID(source + " " + id) }

// malformed is the refusal of a CloudEvent.
func malformed(why error) *refusal {
	return refuse(http.StatusBadRequest, "the CloudEvent is malformed: %s", why)
}
