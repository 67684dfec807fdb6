package jsondoc

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// An operation is one of those of RFC 6902 that a patch here may have.
type operation struct {
	Op, Path, From string
	Value          json.RawMessage
}

var errNowhere = errors.New("the pointer leads nowhere")

// apply applies the operation to a tree as encoding/json decodes it.
func (o operation) apply(doc any) (any, error) {
	var value any
	if o.Value != nil {
		var err error
		if value, err = decodeText(o.Value); err != nil {
			return nil, err
		}
	}
	switch o.Op {
	case "add":
		return at(doc, o.Path, func(v any, token string) (any, error) { return insert(v, token, value) })
	case "remove":
		return at(doc, o.Path, func(v any, token string) (any, error) {
			v, _, err := remove(v, token)
			return v, err
		})
	case "replace":
		if o.Path == "" {
			return value, nil
		}
		return at(doc, o.Path, func(v any, token string) (any, error) { return replace(v, token, value) })
	case "move":
		doc, err := at(doc, o.From, func(v any, token string) (_ any, err error) {
			v, value, err = remove(v, token)
			return v, err
		})
		if err != nil {
			return nil, err
		}
		return at(doc, o.Path, func(v any, token string) (any, error) { return insert(v, token, value) })
	}
	return nil, errors.New("there is no such operation")
}

// at has the container that a pointer leads into replaced by change's result.
func at(doc any, pointer string, change func(container any, token string) (any, error)) (any, error) {
	if !strings.HasPrefix(pointer, "/") {
		return nil, errNowhere
	}
	token, rest, more := strings.Cut(pointer[1:], "/")
	token = strings.ReplaceAll(strings.ReplaceAll(token, "~1", "/"), "~0", "~")
	if !more {
		return change(doc, token)
	}
	inner, err := child(doc, token)
	if err != nil {
		return nil, err
	}
	if inner, err = at(inner, "/"+rest, change); err != nil {
		return nil, err
	}
	return replace(doc, token, inner)
}

func child(v any, token string) (any, error) {
	switch v := v.(type) {
	case map[string]any:
		if value, ok := v[token]; ok {
			return value, nil
		}
	case []any:
		if i, ok := indexOf(token, len(v)); ok {
			return v[i], nil
		}
	}
	return nil, errNowhere
}

// indexOf reads an index below n (RFC 6901, section 4).
func indexOf(token string, n int) (int, bool) {
	i, err := strconv.Atoi(token)
	return i, err == nil && strconv.Itoa(i) == token && i >= 0 && i < n
}

func insert(v any, token string, value any) (any, error) {
	switch v := v.(type) {
	case map[string]any:
		v[token] = value
		return v, nil
	case []any:
		if i, ok := indexOf(token, len(v)+1); ok {
			return slices.Insert(v, i, value), nil
		}
	}
	return nil, errNowhere
}

func remove(v any, token string) (rest, removed any, err error) {
	removed, err = child(v, token)
	if err != nil {
		return nil, nil, err
	}
	if list, ok := v.([]any); ok {
		i, _ := indexOf(token, len(list))
		return slices.Delete(list, i, i+1), removed, nil
	}
	delete(v.(map[string]any), token)
	return v, removed, nil
}

func replace(v any, token string, value any) (any, error) {
	if _, err := child(v, token); err != nil {
		return nil, err
	}
	if list, ok := v.([]any); ok {
		i, _ := indexOf(token, len(list))
		list[i] = value
		return v, nil
	}
	v.(map[string]any)[token] = value
	return v, nil
}

func decodeText(text []byte) (v any, err error) {
	in := json.NewDecoder(bytes.NewReader(text))
	in.UseNumber()
	err = in.Decode(&v)
	return v, err
}

func decode(tb testing.TB, text []byte) any {
	tb.Helper()
	v, err := decodeText(text)
	if err != nil {
		tb.Fatalf("%s: got error %v", text, err)
	}
	return v
}

func encode(tb testing.TB, v any) []byte {
	tb.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		tb.Fatalf("%v: got error %v", v, err)
	}
	return mustCanonical(tb, text)
}
