package strictyaml

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

const maxReferencedFile = 1 << 20

// expand resolves the references in s and reports whether there were any.
func (d *Document) expand(s string) (value string, referenced bool, err error) {
	if !strings.Contains(s, "${") {
		return s, false, nil
	}
	var b strings.Builder
	for {
		start := strings.Index(s, "${")
		if start < 0 {
			b.WriteString(s)
			return b.String(), referenced, nil
		}
		if start > 0 && s[start-1] == '$' {
			b.WriteString(s[:start-1] + "${")
			s = s[start+2:]
			continue
		}
		b.WriteString(s[:start])
		ref, rest, closed := strings.Cut(s[start+2:], "}")
		if !closed {
			return "", true, errors.New(`"${" without "}"; write $${ for a literal one`)
		}
		v, err := d.lookup(ref)
		if err != nil {
			return "", true, err
		}
		b.WriteString(v)
		s, referenced = rest, true
		if !slices.Contains(d.referenced, v) {
			d.referenced = append(d.referenced, v)
		}
	}
}

func (d *Document) lookup(ref string) (string, error) {
	if path, ok := strings.CutPrefix(ref, "file:"); ok {
		if d.readFile == nil {
			return "", errors.New("${file:…} can't be used here")
		}
		if text, ok := d.files[path]; ok { // the same as before, whatever happens to it
			return text, nil
		}
		data, err := d.readFile(path)
		switch {
		case err != nil:
			return "", fmt.Errorf("${%s}: %w", ref, err)
		case len(data) > maxReferencedFile:
			return "", fmt.Errorf("${%s}: the file has %d bytes; the most is %d", ref, len(data), maxReferencedFile)
		}
		if d.files == nil {
			d.files = map[string]string{}
		}
		d.files[path] = strings.TrimSuffix(strings.TrimSuffix(string(data), "\n"), "\r")
		return d.files[path], nil
	}
	name, fallback, hasFallback := strings.Cut(ref, ":-")
	if !validName(name) {
		return "", fmt.Errorf("${%s} is no reference; write ${NAME}, ${NAME:-default} or ${file:/path}, or $${ for a literal ${", ref)
	}
	if d.env != nil {
		if v, ok := d.env(name); ok {
			return v, nil
		}
	}
	if hasFallback {
		return fallback, nil
	}
	return "", fmt.Errorf("environment variable %s is not set; set it or write ${%s:-default}", name, name)
}

func validName(s string) bool {
	for i, r := range s {
		letter := r == '_' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z'
		if !letter && (i == 0 || r < '0' || r > '9') {
			return false
		}
	}
	return s != ""
}
