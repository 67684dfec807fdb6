package strictyaml

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// Bounds on what is read.
const (
	maxFile   = 8 << 20
	maxDepth  = 64
	maxNodes  = 1 << 20 // aliases followed, so that they can't multiply
	maxErrors = 1000
)

// A Document is one parsed file and the complaints about it so far. It is
// not safe for concurrent use.
type Document struct {
	Root *yaml.Node // the top mapping

	file     string
	env      func(string) (string, bool)
	readFile func(string) ([]byte, error)
	errs     Errors
	visited  int
	files    map[string]string // contents of the files that were referred to

	referenced []string // what references stand for
}

// Referenced returns what the references stand for that were resolved so
// far, each once. Some of it will be secrets.
func (d *Document) Referenced() []string { return slices.Clone(d.referenced) }

// References are where ${…} is looked up.
type References struct {
	Env      func(name string) (string, bool) // as os.LookupEnv
	ReadFile func(path string) ([]byte, error)
}

// Parse reads one YAML document whose top is a mapping. An empty one counts
// as an empty mapping. The error is of type [Errors].
func Parse(file string, data []byte, refs References) (*Document, error) {
	d := &Document{file: file, env: refs.Env, readFile: refs.ReadFile}
	if len(data) > maxFile {
		d.addAt(1, 1, "", fmt.Sprintf("the file has %d bytes; the most is %d", len(data), maxFile))
		return nil, d.Err()
	}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc yaml.Node
	switch err := dec.Decode(&doc); {
	case errors.Is(err, io.EOF):
		d.Root = &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Line: 1, Column: 1}
		return d, nil
	case err != nil:
		d.addSyntax(err)
		return nil, d.Err()
	}
	var second yaml.Node
	if err := dec.Decode(&second); err == nil {
		d.Errorf(&second, "", "a second document; the file must hold one")
	} else if !errors.Is(err, io.EOF) {
		d.addSyntax(err)
	}
	d.Root = doc.Content[0]
	if d.Root.Kind == yaml.ScalarNode && d.Root.Tag == "!!null" {
		d.Root = &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Line: 1, Column: 1}
	}
	if d.Root.Kind != yaml.MappingNode {
		d.Errorf(d.Root, "", "the file must be a mapping of keys to values, not %s", kindName(d.Root))
	}
	err := d.Err()
	return d, err
}

// Err returns all complaints so far as [Errors] in order of their places, or
// nil if there are none.
func (d *Document) Err() error {
	if len(d.errs) == 0 {
		return nil
	}
	d.errs.sort()
	return d.errs
}

// Errorf adds a complaint about n, which path leads to. If n's value came
// from a reference, the complaint doesn't go into what is wrong with it, since
// that would show it.
func (d *Document) Errorf(n *yaml.Node, path, format string, args ...any) {
	msg := fmt.Sprintf(format, args...)
	if n.Kind == yaml.ScalarNode {
		if _, referenced, err := d.expand(n.Value); referenced && err == nil {
			msg = fmt.Sprintf("the value of %s can't be used here", n.Value)
		}
	}
	d.addAt(n.Line, n.Column, path, msg)
}

func (d *Document) addAt(line, column int, path, msg string) {
	e := Error{File: d.file, Line: max(line, 1), Column: max(column, 1), Path: path, Msg: msg}
	if len(d.errs) == maxErrors {
		return
	}
	for _, have := range d.errs {
		if *have == e { // defaults are decoded once for each route
			return
		}
	}
	d.errs = append(d.errs, &e)
}

var syntaxLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?(.*)$`)

func (d *Document) addSyntax(err error) {
	line, msg := 1, err.Error()
	if m := syntaxLine.FindStringSubmatch(msg); m != nil {
		msg = m[2]
		if n, err := strconv.Atoi(m[1]); err == nil {
			line = n
		}
	}
	d.addAt(line, 1, "", "not YAML: "+msg)
}

// Find returns the node that a dotted path ("tls.ca", "events[2].data")
// leads to from n, or the deepest one on the way there.
func Find(n *yaml.Node, path string) *yaml.Node {
	for _, step := range strings.FieldsFunc(path, func(r rune) bool { return r == '.' || r == '[' || r == ']' }) {
		n = resolve(n)
		next := (*yaml.Node)(nil)
		switch n.Kind { //nolint:exhaustive // nothing leads on from the others
		case yaml.MappingNode:
			next = entry(n, step)
		case yaml.SequenceNode:
			if i, err := strconv.Atoi(step); err == nil && i >= 0 && i < len(n.Content) {
				next = n.Content[i]
			}
		}
		if next == nil {
			return n
		}
		n = next
	}
	return n
}

// entry returns the value of key in a mapping, which "<<" may have merged in,
// or nil.
func entry(n *yaml.Node, key string) *yaml.Node {
	var merged *yaml.Node
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, value := n.Content[i], n.Content[i+1]
		if k.Value == key {
			return value
		}
		if m := resolve(value); k.ShortTag() == "!!merge" && m != nil && m.Kind == yaml.MappingNode && merged == nil {
			for j := 0; j+1 < len(m.Content) && merged == nil; j += 2 {
				if m.Content[j].Value == key {
					merged = m.Content[j+1]
				}
			}
		}
	}
	return merged
}

// Fingerprint returns a digest of what the nodes say, references resolved:
// two parts of configuration with one fingerprint mean the same. It gives
// away nothing of the values.
func (d *Document) Fingerprint(nodes ...*yaml.Node) string {
	h := sha256.New()
	for _, n := range nodes {
		d.digest(h, n, 0)
	}
	return hex.EncodeToString(h.Sum(nil))
}

func (d *Document) digest(h hash.Hash, n *yaml.Node, depth int) {
	n = resolve(n)
	d.visited++
	if n == nil || depth > maxDepth || d.visited > maxNodes {
		_, _ = io.WriteString(h, "nil;")
		return
	}
	switch n.Kind {
	case yaml.ScalarNode:
		value, _, err := d.expand(n.Value)
		_, _ = fmt.Fprintf(h, "%s %q %v;", n.ShortTag(), value, err)
	default:
		_, _ = fmt.Fprintf(h, "%d %d;", n.Kind, len(n.Content))
		for _, c := range n.Content {
			d.digest(h, c, depth+1)
		}
	}
}

func resolve(n *yaml.Node) *yaml.Node {
	for range maxDepth {
		if n == nil || n.Kind != yaml.AliasNode {
			return n
		}
		n = n.Alias
	}
	return nil
}

func kindName(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	default:
		return "a single value"
	}
}
