package verify

import "encoding/json"

// text is a member of a JSON object that is of interest if it is a string, and
// empty if it is anything else.
type text string

// UnmarshalJSON implements [json.Unmarshaler].
func (t *text) UnmarshalJSON(data []byte) error {
	var s string
	if json.Unmarshal(data, &s) == nil {
		*t = text(s)
	}
	return nil
}

// decode reads the members of a JSON object that are of interest. Of a body
// that is none, there is nothing to know.
func decode(body []byte, into any) {
	_ = json.Unmarshal(body, into)
}

// object is a member of a JSON object that is of interest if it is an object
// itself, with a type.
type object struct{ Type text }

// UnmarshalJSON implements [json.Unmarshaler].
func (o *object) UnmarshalJSON(data []byte) error {
	var inner struct {
		Type text `json:"type"`
	}
	decode(data, &inner)
	o.Type = inner.Type
	return nil
}
