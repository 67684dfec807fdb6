package strictyaml

import (
	"encoding"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// Decode decodes n, which path leads to, into the value that into points to.
// What is wrong is added to the document's complaints; Decode reports
// whether nothing was.
func (d *Document) Decode(n *yaml.Node, path string, into any) bool {
	before := len(d.errs)
	d.value(n, path, reflect.ValueOf(into).Elem(), 0)
	return len(d.errs) == before
}

var (
	nodeType        = reflect.TypeFor[yaml.Node]()
	restType        = reflect.TypeFor[map[string]*yaml.Node]()
	textUnmarshaler = reflect.TypeFor[encoding.TextUnmarshaler]()
)

func (d *Document) value(n *yaml.Node, path string, v reflect.Value, depth int) {
	if n = resolve(n); n == nil {
		return
	}
	if d.visited++; d.visited > maxNodes || depth > maxDepth {
		if d.visited == maxNodes+1 || depth > maxDepth {
			d.Errorf(n, path, "too deep, or too many values (aliases count each time they are used)")
		}
		return
	}
	if v.Type() == nodeType {
		v.Set(reflect.ValueOf(*n))
		return
	}
	if n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" {
		return
	}
	if v.Kind() == reflect.Pointer {
		if v.IsNil() {
			v.Set(reflect.New(v.Type().Elem()))
		}
		d.value(n, path, v.Elem(), depth)
		return
	}
	if n.Kind == yaml.ScalarNode && v.CanAddr() && v.Addr().Type().Implements(textUnmarshaler) {
		d.text(n, path, v)
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		d.structure(n, path, v, depth)
	case reflect.Map:
		d.mapping(n, path, v, depth)
	case reflect.Slice:
		d.list(n, path, v, depth)
	default:
		d.scalar(n, path, v)
	}
}

func (d *Document) text(n *yaml.Node, path string, v reflect.Value) {
	value, _, err := d.expand(n.Value)
	if err != nil {
		d.Errorf(n, path, "%v", err)
		return
	}
	if err := v.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(value)); err != nil {
		d.Errorf(n, path, "%v", err)
	}
}

func (d *Document) scalar(n *yaml.Node, path string, v reflect.Value) {
	if n.Kind != yaml.ScalarNode {
		d.Errorf(n, path, "must be %s, not %s", typeName(v.Type()), kindName(n))
		return
	}
	value, referenced, err := d.expand(n.Value)
	if err != nil {
		d.Errorf(n, path, "%v", err)
		return
	}
	err = setScalar(v, value)
	// A quoted "5" is text and no number, unless the quotes were needed to
	// write a reference.
	quoted := n.ShortTag() == "!!str" && v.Kind() != reflect.String
	switch {
	case err != nil:
		d.Errorf(n, path, "must be %s, not %q", typeName(v.Type()), value)
	case quoted && !referenced:
		d.Errorf(n, path, "must be %s, not the text %q", typeName(v.Type()), value)
	}
}

func setScalar(v reflect.Value, s string) error {
	switch v.Kind() {
	case reflect.String:
		v.SetString(s)
	case reflect.Bool:
		if s != "true" && s != "false" {
			return strconv.ErrSyntax
		}
		v.SetBool(s == "true")
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		i, err := strconv.ParseInt(s, 10, v.Type().Bits())
		if err != nil {
			return err
		}
		v.SetInt(i)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		u, err := strconv.ParseUint(s, 10, v.Type().Bits())
		if err != nil {
			return err
		}
		v.SetUint(u)
	case reflect.Float32, reflect.Float64:
		f, err := strconv.ParseFloat(s, v.Type().Bits())
		if err != nil {
			return err
		}
		v.SetFloat(f)
	default:
		panic("strictyaml: can't decode into " + v.Type().String())
	}
	return nil
}

func (d *Document) list(n *yaml.Node, path string, v reflect.Value, depth int) {
	items := []*yaml.Node{n}
	if n.Kind == yaml.SequenceNode {
		items = n.Content
	} else if n.Kind == yaml.MappingNode && v.Type().Elem().Kind() != reflect.Struct {
		d.Errorf(n, path, "must be a list, not a mapping")
		return
	}
	list := reflect.MakeSlice(v.Type(), len(items), len(items))
	for i, item := range items {
		d.value(item, fmt.Sprintf("%s[%d]", path, i), list.Index(i), depth+1)
	}
	v.Set(list)
}

func (d *Document) mapping(n *yaml.Node, path string, v reflect.Value, depth int) {
	if n.Kind != yaml.MappingNode {
		d.Errorf(n, path, "must be a mapping, not %s", kindName(n))
		return
	}
	m := reflect.MakeMap(v.Type())
	for _, p := range d.pairs(n, path) {
		item := reflect.New(v.Type().Elem()).Elem()
		d.value(p.value, join(path, p.key.Value), item, depth+1)
		m.SetMapIndex(reflect.ValueOf(p.key.Value).Convert(v.Type().Key()), item)
	}
	v.Set(m)
}

func (d *Document) structure(n *yaml.Node, path string, v reflect.Value, depth int) {
	if n.Kind != yaml.MappingNode {
		d.Errorf(n, path, "must be a mapping, not %s", kindName(n))
		return
	}
	fields := map[string]reflect.Value{}
	rest := collect(v, fields)
	for _, p := range d.pairs(n, path) {
		key := p.key.Value
		if f, ok := fields[key]; ok {
			d.value(p.value, join(path, key), f, depth+1)
			continue
		}
		if rest.IsValid() {
			if rest.IsNil() {
				rest.Set(reflect.MakeMap(restType))
			}
			rest.SetMapIndex(reflect.ValueOf(key), reflect.ValueOf(resolve(p.value)))
			continue
		}
		d.Errorf(p.key, path, "%s", unknown(key, mapKeys(fields)))
	}
}

// collect maps the keys of struct v to its fields and returns the field for
// the rest, if there is one.
func collect(v reflect.Value, fields map[string]reflect.Value) (rest reflect.Value) {
	t := v.Type()
	for i := range t.NumField() {
		tag, ok := t.Field(i).Tag.Lookup("yaml")
		if !ok {
			continue
		}
		name, option, _ := strings.Cut(tag, ",")
		switch option {
		case "inline":
			if r := collect(v.Field(i), fields); r.IsValid() {
				rest = r
			}
		case "rest":
			rest = v.Field(i)
		default:
			fields[name] = v.Field(i)
		}
	}
	return rest
}

// Keys returns the keys that may stand in the mapping for the struct that
// into points to.
func Keys(into any) []string {
	fields := map[string]reflect.Value{}
	collect(reflect.ValueOf(into).Elem(), fields)
	return mapKeys(fields)
}

// UnknownKey adds the complaint that key, which stands in the mapping n, is
// none of names.
func (d *Document) UnknownKey(n *yaml.Node, path, key string, names []string) {
	at := n
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			at = n.Content[i]
		}
	}
	d.Errorf(at, path, "%s", unknown(key, names))
}

type pair struct{ key, value *yaml.Node }

// pairs lists the entries of a mapping, those that "<<" merges in included,
// and complains of keys that aren't plain or stand twice.
func (d *Document) pairs(n *yaml.Node, path string) []pair {
	var list []pair
	at := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if key.ShortTag() == "!!merge" {
			continue
		}
		if key.Kind != yaml.ScalarNode {
			d.Errorf(key, path, "a key must be a plain word")
			continue
		}
		if j, twice := at[key.Value]; twice {
			d.Errorf(key, path, "key %q stands here a second time; the first is in line %d", key.Value, list[j].key.Line)
			continue
		}
		at[key.Value] = len(list)
		list = append(list, pair{key, value})
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].ShortTag() != "!!merge" {
			continue
		}
		merged := resolve(n.Content[i+1])
		if merged == nil || merged.Kind != yaml.MappingNode {
			d.Errorf(n.Content[i], path, `"<<" merges one mapping, such as "<<: *name"`)
			continue
		}
		for j := 0; j+1 < len(merged.Content); j += 2 {
			key := merged.Content[j]
			if _, have := at[key.Value]; !have {
				at[key.Value] = len(list)
				list = append(list, pair{key, merged.Content[j+1]})
			}
		}
	}
	return list
}

func mapKeys(fields map[string]reflect.Value) []string {
	keys := make([]string, 0, len(fields))
	for k := range fields {
		keys = append(keys, k)
	}
	return keys
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

func typeName(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return "text"
	case reflect.Bool:
		return "true or false"
	case reflect.Float32, reflect.Float64:
		return "a number"
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return "a whole number, 0 or more"
	default:
		return "a whole number"
	}
}
