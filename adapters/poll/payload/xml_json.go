package payload

import (
	"bytes"
	"cmp"
	"slices"
)

// A treeWriter writes a tree as JSON.
type treeWriter struct {
	*tree
	textName []byte
	lists    map[string]bool
	bound    int64
	out      []byte

	// children is a stack of lists: those of each element under way.
	children []int
}

// json returns the tree as an object, of at most about bound bytes.
func (t *tree) json(bound int64) ([]byte, error) {
	w := treeWriter{tree: t, textName: []byte(t.options.Text), lists: make(map[string]bool), bound: bound}
	for _, name := range t.options.Lists {
		w.lists[name] = true
	}
	if err := w.value(0); err != nil {
		return nil, err
	}
	return w.out, nil
}

// value writes the value of node i.
func (w *treeWriter) value(i int) error {
	if int64(len(w.out)) > w.bound {
		return errExpanded
	}
	if w.isText(i) {
		w.out = appendString(w.out, w.textOf(i))
		return nil
	}
	base := len(w.children)
	defer func() { w.children = w.children[:base] }()
	for c := i + 1; c < int(w.nodes[i].end); c = w.next(c) {
		w.children = append(w.children, c)
	}
	children := w.children[base:]
	switch {
	case len(children) == 0:
		w.out = append(w.out, "null"...)
		return nil
	case len(children) == 1 && w.isText(children[0]):
		return w.value(children[0])
	default:
		return w.object(children)
	}
}

// object writes nodes as members, those with the same name as one.
func (w *treeWriter) object(nodes []int) error {
	slices.SortFunc(nodes, func(a, b int) int {
		return cmp.Or(bytes.Compare(w.nameOf(a), w.nameOf(b)), cmp.Compare(a, b))
	})
	w.out = append(w.out, '{')
	for len(nodes) > 0 {
		name := w.nameOf(nodes[0])
		same := 1
		for same < len(nodes) && bytes.Equal(w.nameOf(nodes[same]), name) {
			same++
		}
		w.out = appendString(w.out, name)
		w.out = append(w.out, ':')
		if err := w.member(nodes[:same]); err != nil {
			return err
		}
		if nodes = nodes[same:]; len(nodes) > 0 {
			w.out = append(w.out, ',')
		}
	}
	w.out = append(w.out, '}')
	return nil
}

// member writes the value of nodes that have the same name.
func (w *treeWriter) member(nodes []int) error {
	if w.isText(nodes[0]) {
		pieces := make([][]byte, len(nodes))
		for i, n := range nodes {
			pieces[i] = w.textOf(n)
		}
		w.out = appendString(w.out, bytes.Join(pieces, []byte{' '}))
		return nil
	}
	if len(nodes) == 1 && !w.lists[string(w.textOf(nodes[0]))] {
		return w.value(nodes[0])
	}
	w.out = append(w.out, '[')
	for i, n := range nodes {
		if i > 0 {
			w.out = append(w.out, ',')
		}
		if err := w.value(n); err != nil {
			return err
		}
	}
	w.out = append(w.out, ']')
	return nil
}

func (w *treeWriter) isText(i int) bool { return w.nodes[i].end == 0 }

// textOf returns the text of a text, the name of an element.
func (w *treeWriter) textOf(i int) []byte {
	n := w.nodes[i]
	return w.text[n.start:][:n.size]
}

// nameOf returns the name of the member that a node belongs to.
func (w *treeWriter) nameOf(i int) []byte {
	if w.isText(i) {
		return w.textName
	}
	return w.textOf(i)
}

// next returns the node after i and all that is within it.
func (w *treeWriter) next(i int) int { return max(i+1, int(w.nodes[i].end)) }
