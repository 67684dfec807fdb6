package kube

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/json"
	sigsyaml "sigs.k8s.io/yaml"
)

// An Object is one object of a manifest.
type Object struct {
	metav1.PartialObjectMetadata
	raw []byte // as JSON
}

// A Set is what is installed together.
type Set []Object

// Find returns the object of this kind and name, or nil.
func (s Set) Find(kind, name string) *Object {
	for i := range s {
		if s[i].Kind == kind && s[i].Name == name {
			return &s[i]
		}
	}
	return nil
}

// Decode returns the objects of a manifest: YAML documents, of which empty
// ones don't count. A key that occurs twice is an error.
func Decode(manifest []byte) (Set, error) {
	var objects Set
	reader := yaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(manifest)))
	for {
		document, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return objects, nil
		}
		if err != nil {
			return nil, err
		}
		raw, err := sigsyaml.YAMLToJSONStrict(document)
		if err != nil {
			return nil, fmt.Errorf("%w in\n%s", err, document)
		}
		if string(raw) == "null" {
			continue
		}
		o := Object{raw: raw}
		// sigs.k8s.io/yaml would make texts of numbers where one is wanted.
		if err := json.UnmarshalCaseSensitivePreserveInts(raw, &o.PartialObjectMetadata); err != nil {
			return nil, fmt.Errorf("%w in\n%s", err, document)
		}
		objects = append(objects, o)
	}
}

// String returns what the object is called in messages.
func (o Object) String() string { return o.Kind + " " + o.Name }

// Into decodes the object into one of the types of k8s.io/api, strictly.
func (o Object) Into(typed any) error {
	wrong, err := json.UnmarshalStrict(o.raw, typed)
	if err = cmp.Or(err, errors.Join(wrong...)); err != nil {
		return fmt.Errorf("%v: %w", o, err)
	}
	return nil
}
