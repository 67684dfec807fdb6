package secret

// Mask is shown in place of a secret.
const Mask = "(secret)"

// A Value is text that may be a secret. It is configured as text, or as
// {file: path} for the content of a file (at most 64KiB) without one line end
// at its end. The zero value is absent. It is masked by fmt and in JSON.
type Value struct {
	// File is the path of a file with the text. If it is set, it prevails.
	File string `yaml:"file"`

	// A pointer isn't followed by fmt, not even where it can't see that
	// there is a String method: in unexported fields.
	text *string
}

// Text returns the value that is s.
func Text(s string) Value { return Value{text: &s} }

// IsZero reports whether v is absent: neither a text, not even an empty one,
// nor a file.
func (v Value) IsZero() bool { return v.File == "" && v.text == nil }

// IsEmpty reports whether v is absent or the empty text. What a file holds
// isn't looked at.
func (v Value) IsEmpty() bool { return v.File == "" && v.Reveal() == "" }

// Reveal returns the text that v was configured as, or "" if it is in a file.
// It is for checks at load time; a [Reader] gives what is to be used.
func (v Value) Reveal() string {
	if v.text == nil || v.File != "" {
		return ""
	}
	return *v.text
}

// UnmarshalText implements [encoding.TextUnmarshaler].
func (v *Value) UnmarshalText(text []byte) error {
	*v = Text(string(text))
	return nil
}

// MarshalText implements [encoding.TextMarshaler].
func (v Value) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

func (v Value) String() string {
	switch {
	case v.File != "":
		return "(secret in " + v.File + ")"
	case v.IsEmpty():
		return ""
	default:
		return Mask
	}
}

// GoString implements [fmt.GoStringer].
func (v Value) GoString() string { return v.String() }
