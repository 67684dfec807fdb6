package history

import (
	"crypto/sha256"
	"encoding/base32"
	"strings"

	"sidestream/adapters"
)

// hashSize is the length of hashes in names, in bytes: 60 bits in base32.
const hashSize = 12

// hash returns a short hash of a text, that may be part of a name.
func hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return strings.ToLower(base32.HexEncoding.EncodeToString(sum[:])[:hashSize])
}

// streamName returns the name of the stream that keeps a route's events: the
// prefix, what can be read of the route's name, and a hash of it.
func streamName(prefix, route string) string {
	const readable = 64
	slug := strings.Trim(strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, route), "-")
	for strings.Contains(slug, "--") {
		slug = strings.ReplaceAll(slug, "--", "-")
	}
	return prefix + "-" + strings.Trim(slug[:min(len(slug), readable)]+"-"+hash(route), "-")
}

// subjectOf returns the subject of one of the route's sources, by the values
// of its variables, and of all of them.
func subjectOf(stream string, names []string, vars adapters.Vars) string {
	if len(names) == 0 {
		return stream + ".all"
	}
	var b strings.Builder
	for _, name := range names {
		if value, ok := vars[name]; ok {
			b.WriteByte('=')
			b.WriteString(value)
		}
		b.WriteByte(0)
	}
	return stream + "." + hash(b.String())
}

// allSubjects returns what matches the subjects of all of a stream's sources.
func allSubjects(stream string) string { return stream + ".*" }
