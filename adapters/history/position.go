package history

import (
	"crypto/sha256"
	"encoding/base64"
	"strings"

	"sidestream/adapters"
	"sidestream/adapters/nats"
)

// Positions are those of the log's stream. Where sources have a state, a hash of
// what the route makes of events follows, "1042-qX3_t0Wk.b7Zk2Q": who has the
// state in another form is given it again.
const formSeparator = "."

// formSize is the length of the hash, in bytes: 36 bits, in base64url.
const formSize = 6

// A form is the suffix of a source's positions; it may be empty.
type form string

func formOf(stateful bool, of string) form {
	if !stateful || of == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(of))
	return form(formSeparator + base64.RawURLEncoding.EncodeToString(sum[:])[:formSize])
}

// with returns the source's position for one of the stream.
func (f form) with(p adapters.Position) adapters.Position {
	if p == "" {
		return ""
	}
	return p + adapters.Position(f)
}

// without is the inverse of with. ok is false for a position in another form.
func (f form) without(p adapters.Position) (of adapters.Position, ok bool) {
	bare, suffix := cutForm(p)
	return bare, suffix == f || p == ""
}

func cutForm(p adapters.Position) (of adapters.Position, f form) {
	bare, suffix, found := strings.Cut(string(p), formSeparator)
	if !found {
		return p, ""
	}
	return adapters.Position(bare), form(formSeparator + suffix)
}

// compare implements [adapters.Capabilities].Compare. In another form, the same
// place is another.
func compare(a, b adapters.Position) (order int, ok bool) {
	first, f := cutForm(a)
	second, g := cutForm(b)
	if f != g {
		return 0, false
	}
	return nats.Compare(first, second)
}
