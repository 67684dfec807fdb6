package kube

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"golang.org/x/text/language"
	"golang.org/x/text/message"
	"k8s.io/apimachinery/pkg/runtime/schema"
	sigsyaml "sigs.k8s.io/yaml"
)

// Schemas are the kinds of objects that a release of Kubernetes has, and those
// of custom resources. It is for one goroutine at a time.
type Schemas struct {
	compiler *jsonschema.Compiler
	kinds    map[schema.GroupVersionKind]string // to the place of its schema
}

// base is where the compiler finds the schemas; it is never fetched.
const base = "kubernetes:///openapi"

// NewSchemas reads the schemas of a release, which is its
// api/openapi-spec/swagger.json, and definitions of custom resources, in YAML.
func NewSchemas(swagger []byte, custom ...[]byte) (*Schemas, error) {
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(swagger))
	if err != nil {
		return nil, fmt.Errorf("schemas of Kubernetes: %w", err)
	}
	definitions, err := at[map[string]any](document, "definitions")
	if err != nil {
		return nil, fmt.Errorf("schemas of Kubernetes: %w", err)
	}
	s := &Schemas{compiler: newCompiler(), kinds: map[schema.GroupVersionKind]string{}}
	for name, definition := range definitions {
		strictBuiltIn(definition)
		kinds, err := at[[]any](definition, "x-kubernetes-group-version-kind")
		if err != nil {
			continue // a part of others
		}
		for _, kind := range kinds {
			var gvk schema.GroupVersionKind
			gvk.Group, _ = at[string](kind, "group")
			gvk.Version, _ = at[string](kind, "version")
			gvk.Kind, _ = at[string](kind, "kind")
			s.kinds[gvk] = name
		}
	}
	definitions[quantity] = map[string]any{"type": []any{"string", "number"}, "format": "quantity"}
	for _, text := range custom {
		if err := s.define(text, definitions); err != nil {
			return nil, fmt.Errorf("definition of a custom resource: %w", err)
		}
	}
	if err := s.compiler.AddResource(base, map[string]any{"definitions": definitions}); err != nil {
		return nil, err
	}
	return s, nil
}

// define adds the versions of a custom resource to the definitions.
func (s *Schemas) define(text []byte, definitions map[string]any) error {
	raw, err := sigsyaml.YAMLToJSONStrict(text)
	if err != nil {
		return err
	}
	crd, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		return err
	}
	group, err := at[string](crd, "spec", "group")
	if err != nil {
		return err
	}
	kind, err := at[string](crd, "spec", "names", "kind")
	if err != nil {
		return err
	}
	versions, err := at[[]any](crd, "spec", "versions")
	if err != nil {
		return err
	}
	for _, v := range versions {
		version, err := at[string](v, "name")
		if err != nil {
			return err
		}
		custom, err := at[map[string]any](v, "schema", "openAPIV3Schema")
		if err != nil {
			return fmt.Errorf("%s %s: %w", kind, version, err)
		}
		strictCustom(custom)
		gvk := schema.GroupVersionKind{Group: group, Version: version, Kind: kind}
		s.kinds[gvk] = gvk.String()
		definitions[gvk.String()] = custom
	}
	return nil
}

// Has reports whether the release has this kind of object.
func (s *Schemas) Has(apiVersion, kind string) bool {
	_, ok := s.kinds[schema.FromAPIVersionAndKind(apiVersion, kind)]
	return ok
}

// Check reports all that the release would refuse in an object, or drop from
// it: a kind or a field that it doesn't have, a value of the wrong type, a
// field that is missing, a name or label of the wrong form.
func (s *Schemas) Check(o Object) error {
	name, ok := s.kinds[o.GroupVersionKind()]
	if !ok {
		return fmt.Errorf("%v: there is no kind %s in %s%s", o, o.Kind, o.APIVersion, s.versions(o.Kind))
	}
	compiled, err := s.compiler.Compile(base + "#/definitions/" + url.PathEscape(escape(name)))
	if err != nil {
		return err
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(o.raw))
	if err != nil {
		return err
	}
	wrong := checkMetadata(o)
	var invalid *jsonschema.ValidationError
	if errors.As(compiled.Validate(value), &invalid) {
		wrong = append(wrong, leaves(invalid)...)
	}
	for i, err := range wrong {
		wrong[i] = fmt.Errorf("%v: %w", o, err)
	}
	return errors.Join(wrong...)
}

// versions says which versions of a kind there are.
func (s *Schemas) versions(kind string) string {
	var others []string
	for gvk := range maps.Keys(s.kinds) {
		if gvk.Kind == kind {
			others = append(others, gvk.GroupVersion().String())
		}
	}
	if len(others) == 0 {
		return ""
	}
	slices.Sort(others)
	return "; it is in " + strings.Join(others, ", ")
}

// leaves returns the causes that have no causes of their own, each with its
// place in the object.
func leaves(e *jsonschema.ValidationError) []error {
	if len(e.Causes) == 0 {
		what := e.ErrorKind.LocalizedString(message.NewPrinter(language.English))
		return []error{fmt.Errorf("/%s: %s", strings.Join(e.InstanceLocation, "/"), what)}
	}
	var all []error
	for _, cause := range e.Causes {
		all = append(all, leaves(cause)...)
	}
	return all
}

// escape makes a name one step of a JSON pointer (RFC 6901).
func escape(name string) string {
	return strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
}

// at returns the value of a type at a path of keys.
func at[T any](value any, path ...string) (T, error) {
	for i, key := range path {
		object, _ := value.(map[string]any)
		next, ok := object[key]
		if !ok {
			var none T
			return none, fmt.Errorf("no %s", strings.Join(path[:i+1], "."))
		}
		value = next
	}
	typed, ok := value.(T)
	if !ok {
		return typed, fmt.Errorf("%s: got %T, want %T", strings.Join(path, "."), value, typed)
	}
	return typed, nil
}
