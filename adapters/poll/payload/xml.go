package payload

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
)

// The bounds on a document of XML.
const (
	maxDepth = 1000
	maxTag   = 1 << 20 // bytes; encoding/xml takes a multiple of it in memory
)

var (
	errNoRoot  = errors.New("it has no element")
	errRoot    = errors.New("something stands beside the root element")
	errNesting = errors.New("elements don't end as they start")
	errDepth   = fmt.Errorf("elements are more than %d deep", maxDepth)
	errTag     = fmt.Errorf("a tag has more than %d bytes", maxTag)
)

// xml returns the document in a body, which is UTF-8 and has no declaration,
// as an object.
func (o *Options) xml(body []byte) ([]byte, error) {
	t := tree{options: &o.XML}
	if line, err := t.parse(body); err != nil {
		return nil, xmlError(line, err)
	}
	return t.json(o.expanded())
}

// xmlError leaves out what encoding/xml says, since it quotes.
func xmlError(line int, err error) error {
	if errors.Is(err, ErrTooLarge) {
		return err
	}
	for _, known := range []error{errNoRoot, errRoot, errNesting, errDepth, errTag} {
		if errors.Is(err, known) {
			return fmt.Errorf("it can't be read as XML: line %d: %w", line, known)
		}
	}
	return fmt.Errorf("it is not well-formed XML: line %d", line)
}

// A tree is a document in a few bytes for each of its nodes, so that a body
// of nothing but small elements doesn't become many times as large.
type tree struct {
	options *XML

	// nodes are in the order of the document; the first one is the document
	// itself.
	nodes []node
	text  []byte // of all nodes

	open []openElement // the document first
	run  bool          // the last node is a text that may go on
}

// A node is an element, a text, or an attribute, which is an element that
// holds one text.
type node struct {
	start, size uint32 // of the name or the text within tree.text
	end         uint32 // the next node that is not within this one; 0 for a text
}

type openElement struct {
	node int
	name xml.Name // as it is written: the prefix is its Space
}

// parse reads body. With an error it returns the number of its line.
func (t *tree) parse(body []byte) (line int, err error) {
	t.open = []openElement{{node: t.add("")}}
	in := &tags{body: body}
	dec := xml.NewDecoder(in)
	for err == nil {
		in.start = int(dec.InputOffset())
		var token xml.Token
		if token, err = dec.RawToken(); err != nil {
			break
		}
		switch token := token.(type) {
		case xml.StartElement:
			err = t.startElement(token)
		case xml.EndElement:
			err = t.endElement(token.Name)
		case xml.CharData:
			err = t.charData(token)
		}
		if uint64(len(t.text)) > math.MaxUint32 {
			err = ErrTooLarge // places don't fit
		}
	}
	line, _ = dec.InputPos()
	switch {
	case !errors.Is(err, io.EOF):
		return line, err
	case len(t.open) > 1:
		return line, errNesting
	case len(t.nodes) == 1:
		return line, errNoRoot
	}
	t.nodes[0].end = uint32(len(t.nodes))
	return line, nil
}

func (t *tree) startElement(e xml.StartElement) error {
	switch {
	case len(t.open) == 1 && len(t.nodes) > 1:
		return errRoot
	case len(t.open) > maxDepth:
		return errDepth
	}
	t.endRun()
	t.open = append(t.open, openElement{t.add(t.name(e.Name)), e.Name})
	for _, a := range e.Attr {
		if a.Name.Space == "xmlns" || a.Name.Space == "" && a.Name.Local == "xmlns" {
			continue
		}
		i := t.add(t.options.Attributes, t.name(a.Name))
		t.add(a.Value)
		t.nodes[i].end = uint32(len(t.nodes))
	}
	return nil
}

func (t *tree) endElement(name xml.Name) error {
	last := len(t.open) - 1
	if last == 0 || t.open[last].name != name {
		return errNesting
	}
	t.endRun()
	t.nodes[t.open[last].node].end = uint32(len(t.nodes))
	t.open = t.open[:last]
	return nil
}

// charData adds text; what comes in pieces, because of a comment or a CDATA
// section, stays together.
func (t *tree) charData(text []byte) error {
	if len(t.open) == 1 {
		if len(bytes.Trim(text, space)) > 0 {
			return errRoot
		}
		return nil
	}
	if !t.run {
		t.add("")
		t.run = true
	}
	t.text = append(t.text, text...)
	return nil
}

// endRun ends a run of text. White space at its ends doesn't count.
func (t *tree) endRun() {
	if !t.run {
		return
	}
	t.run = false
	last := &t.nodes[len(t.nodes)-1]
	start := int(last.start)
	text := bytes.Trim(t.text[start:], space)
	t.text = append(t.text[:start], text...)
	last.size = uint32(len(text))
	if len(text) == 0 {
		t.nodes = t.nodes[:len(t.nodes)-1]
	}
}

// add adds a node and returns its place.
func (t *tree) add(text ...string) int {
	n := node{start: uint32(len(t.text))}
	for _, s := range text {
		t.text = append(t.text, s...)
	}
	n.size = uint32(len(t.text)) - n.start
	t.nodes = append(t.nodes, n)
	return len(t.nodes) - 1
}

func (t *tree) name(n xml.Name) string {
	if n.Space == "" || !t.options.Prefixes {
		return n.Local
	}
	return n.Space + ":" + n.Local
}

// tags hands out a body byte by byte, but not more of one tag than its bound.
type tags struct {
	body  []byte
	start int // of the token that is being read
	pos   int
}

// ReadByte implements [io.ByteReader].
func (t *tags) ReadByte() (byte, error) {
	if t.pos == len(t.body) {
		return 0, io.EOF
	}
	if t.pos-t.start > maxTag && t.body[t.start] == '<' && t.body[t.start+1] != '!' && t.body[t.start+1] != '?' {
		return 0, errTag
	}
	t.pos++
	return t.body[t.pos-1], nil
}

// Read makes tags an [io.Reader], which encoding/xml wants but doesn't use.
func (t *tags) Read(p []byte) (int, error) {
	n := copy(p, t.body[t.pos:])
	if n == 0 && len(p) > 0 {
		return 0, io.EOF
	}
	t.pos += n
	return n, nil
}
