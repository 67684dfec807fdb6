// Package schema describes configuration for editors: it makes the JSON
// Schema of a routing table out of the Go types that the table is decoded
// into, their defaults and their doc comments.
//
// It is the counterpart of package strictyaml and reads the same types in the
// same way: `yaml` tags, inlined structs, a single value in place of a list of
// one, null for what isn't set, types with an UnmarshalText, structs that may
// be a single value as well, and a reference, ${…}, anywhere in a value. General
// generators read the rules of encoding/json out of types, most of which are
// wrong here.
//
// # What holds
//
//   - A table that the program accepts is valid: the schema is never the
//     stricter of the two, but for spellings that nobody uses (-0s, or a
//     quoted number where words are allowed as well).
//   - A table with an unknown key, a value of the wrong kind, a malformed
//     duration or size, a word that is none of a few valid ones, or a route with
//     no source or two is not valid.
//   - What depends on more than one value, or on anything that isn't in the
//     file, only the program can tell.
//
// The schema is of draft 7, which every version of the YAML language server
// understands that VS Code and most other editors use. There, what stands
// beside a "$ref" is ignored, so nothing does.
//
// The package is at work when the project is built, where the source is at
// hand for its comments, and no part of the program.
package schema
