package schema

import "encoding/json"

// A Schema is a JSON Schema (draft-handrews-json-schema-01 and its validation
// vocabulary), as far as it is needed here. The zero value allows everything.
type Schema struct {
	Dialect     string `json:"$schema,omitempty"`
	Ref         string `json:"$ref,omitempty"`
	Title       string `json:"title,omitempty"`
	Description string `json:"description,omitempty"`
	Default     any    `json:"default,omitempty"`

	Type    Types  `json:"type,omitempty"`
	Enum    []any  `json:"enum,omitempty"`
	Minimum any    `json:"minimum,omitempty"`
	Maximum any    `json:"maximum,omitempty"`
	Pattern string `json:"pattern,omitempty"`

	// TypeError and PatternError are what editors show of a value that is of
	// another type or doesn't match the pattern. They are extensions, which
	// others ignore.
	TypeError    string `json:"errorMessage,omitempty"`
	PatternError string `json:"patternErrorMessage,omitempty"`

	Items      *Schema            `json:"items,omitempty"`
	Properties map[string]*Schema `json:"properties,omitempty"`
	Required   []string           `json:"required,omitempty"`

	// Additional is what other properties are held to: false, or a *Schema.
	Additional any `json:"additionalProperties,omitempty"`

	If    *Schema   `json:"if,omitempty"`
	Then  *Schema   `json:"then,omitempty"`
	AllOf []*Schema `json:"allOf,omitempty"`
	AnyOf []*Schema `json:"anyOf,omitempty"`
	OneOf []*Schema `json:"oneOf,omitempty"`

	Definitions map[string]*Schema `json:"definitions,omitempty"`

	order []string // the properties' names as the source has them; see [Schema.Keys]
}

// Types are the names of the types that a value may have.
type Types []string

// MarshalJSON writes a single name as it is, and several as a list.
func (t Types) MarshalJSON() ([]byte, error) {
	if len(t) == 1 {
		return json.Marshal(t[0])
	}
	return json.Marshal([]string(t))
}
