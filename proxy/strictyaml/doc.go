// Package strictyaml decodes YAML into Go values and forgives nothing: an
// unknown key, a key given twice, a value of the wrong type is an error with
// its file, line and column, and all errors of a file are found in one pass.
//
// yaml.v3 does the parsing. Its own decoder is not used, because it drops
// KnownFields below a Node, loses the line when a TextUnmarshaler fails, and
// stops at the first such failure.
//
// # What is decoded
//
// Structs by `yaml:"name"` tags (embedded structs tagged ",inline" count as
// the outer one's), pointers, slices, maps with string keys, strings,
// booleans, integers, floats, [encoding.TextUnmarshaler] for scalars, and
// [yaml.Node] itself for parts to be decoded later. A field of type
// map[string]*yaml.Node tagged ",rest" receives the keys that no other field
// claims; without one they are errors. A scalar where a list is due is a list
// of one. A type that implements TextUnmarshaler and is a struct may be
// written either way. What is absent or null keeps the value that is there,
// so that decoding twice into one value layers the second over the first.
//
// # References
//
// ${NAME} in a scalar is an environment variable, ${NAME:-text} one with a
// default, ${file:/path} the content of a file without its last line break,
// and $${ a literal "${". A value that came from a reference is never quoted
// in an error.
package strictyaml
