package historychaos

import (
	"bytes"
	"encoding/json"
	"fmt"

	jsonpatch "github.com/evanphx/json-patch/v5"

	"sidestream/e2e/chaos"
)

// rows is how many rows a document has at most.
const rows = 24

// document is the form of a document.
type document struct {
	Version int            `json:"version"`
	Rows    map[string]row `json:"rows"`
	Newest  []int          `json:"newest"`
}

type row struct {
	Changed int    `json:"changed"` // the version that has changed it last
	Text    string `json:"text"`
}

// Document returns the document of a version, from 1, as JSON. It differs from
// the version before in a few places; which they are follows from the version.
func Document(version int) []byte {
	d := document{Version: version, Rows: map[string]row{}, Newest: []int{}}
	for v := max(1, version-rows+1); v <= version; v++ {
		if v%5 > 0 { // otherwise the version has taken its row away
			d.Rows[fmt.Sprint("row ", v%rows)] = row{v, fmt.Sprintf("what version %d says of it: %x", v, v*v*v)}
		}
		if v > version-4 {
			d.Newest = append(d.Newest, v)
		}
	}
	text, err := json.Marshal(d)
	if err != nil {
		panic(err) // a document can be marshalled
	}
	return text
}

// Version returns the version of a document, or an error if it is not that of
// one.
func Version(text []byte) (int, error) {
	var d document
	if err := json.Unmarshal(text, &d); err != nil {
		return 0, fmt.Errorf("not a document: %w: %.60q", err, text)
	}
	if d.Version < 1 || !jsonpatch.Equal(text, Document(d.Version)) {
		return 0, fmt.Errorf("not the document of version %d: %.200q", d.Version, text)
	}
	return d.Version, nil
}

// A Reader applies what a client is sent. The zero value has no document.
type Reader struct{ document []byte }

// Apply applies an event of a route with emit: patch, and returns the version
// of the document that it leads to.
func (r *Reader) Apply(typ string, data []byte) (version int, err error) {
	switch {
	case typ == "snapshot":
		r.document = bytes.Clone(data)
	case r.document == nil:
		return 0, fmt.Errorf("got %s before a document", typ)
	case typ == "patch":
		patch, err := jsonpatch.DecodePatch(data)
		if err != nil {
			return 0, fmt.Errorf("got no patch: %w: %.60q", err, data)
		}
		after, err := patch.Apply(r.document)
		if err != nil {
			return 0, fmt.Errorf("the patch doesn't fit: %w", err)
		}
		r.document = after
	default:
		return 0, fmt.Errorf("got an event of type %q", typ)
	}
	return Version(r.document)
}

// Versions returns where clients have not had one version of the document
// after the other, up to the newest, or where an id stands for two versions.
// Events have the version as their record's number.
func Versions(clients []chaos.Client, newest int) (found []chaos.Violation) {
	type seen struct {
		version int
		by      string
	}
	at := map[string]seen{}
	for _, c := range clients {
		fail := func(entry int, kind chaos.Kind, format string, args ...any) {
			found = append(found, chaos.Violation{Client: c.Name, Kind: kind, Entry: entry, Text: fmt.Sprintf(format, args...)})
		}
		had, id := 0, ""
		for i, e := range c.Log {
			switch e := e.(type) {
			case chaos.Refused:
				fail(i, chaos.GaveUp, "status %d, want 200", e.Status)
			case chaos.Gap:
				fail(i, chaos.WrongGap, "%v; a state makes up for all that is missed", e)
			case chaos.Notice:
				if e.ID != id {
					fail(i, chaos.WrongID, "%s carries %q, when the client had %q", e.Type, e.ID, id)
				}
			case chaos.Event:
				version := e.Record.Number
				switch before, ok := at[e.ID]; {
				case e.Err != nil:
					fail(i, chaos.Corrupted, "%s: %v", e.ID, e.Err)
					continue
				case e.ID == "":
					fail(i, chaos.WrongID, "version %d came without an id", version)
				case ok && before.version != version:
					fail(i, chaos.WrongID, "%s came with version %d, and to %s with version %d", e.ID, version, before.by, before.version)
				default:
					at[e.ID] = seen{version, c.Name}
				}
				switch {
				case version < had:
					fail(i, chaos.OutOfOrder, "version %d came after version %d", version, had)
				case version == had && e.ID == id:
					fail(i, chaos.Repeated, "version %d came again", version)
				}
				had, id = max(had, version), e.ID
			}
		}
		if had != newest {
			fail(len(c.Log), chaos.WrongState, "the client ends with version %d, want %d", had, newest)
		}
	}
	return found
}
