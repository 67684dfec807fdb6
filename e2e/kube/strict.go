package kube

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"k8s.io/apimachinery/pkg/api/resource"
)

const (
	objectMeta = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
	quantity   = "io.k8s.apimachinery.pkg.api.resource.Quantity"
)

// strictBuiltIn turns a definition of swagger.json into a JSON schema that
// refuses unknown fields. One without any is of free form.
func strictBuiltIn(definition any) {
	walk(definition, func(s map[string]any) {
		if s["properties"] != nil && s["additionalProperties"] == nil {
			s["additionalProperties"] = false
		}
	})
}

// strictCustom does the same with the schema of a custom resource, of which an
// API server drops what it doesn't name:
// https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#field-pruning
func strictCustom(root map[string]any) {
	walk(root, func(s map[string]any) {
		if s["type"] == "object" && s["additionalProperties"] == nil && s["x-kubernetes-preserve-unknown-fields"] != true {
			s["additionalProperties"] = false
		}
		if s["x-kubernetes-int-or-string"] == true {
			s["type"] = []any{"integer", "string"}
		}
		if kind, ok := s["type"].(string); ok && s["nullable"] == true {
			s["type"] = []any{kind, "null"}
		}
	})
	properties, ok := root["properties"].(map[string]any)
	if !ok {
		return
	}
	properties["apiVersion"] = map[string]any{"type": "string"}
	properties["kind"] = map[string]any{"type": "string"}
	properties["metadata"] = map[string]any{"$ref": "#/definitions/" + objectMeta}
}

// walk calls change with a schema and those of its fields, items and values,
// where the fields of an object are declared. What stands below "anyOf" and
// its like narrows these, and declares none.
func walk(schema any, change func(map[string]any)) {
	s, ok := schema.(map[string]any)
	if !ok {
		return
	}
	if s["format"] == "int-or-string" {
		s["type"] = []any{"integer", "string"}
	}
	if fields, ok := s["properties"].(map[string]any); ok {
		for _, field := range fields {
			walk(field, change)
		}
	}
	walk(s["items"], change)
	walk(s["additionalProperties"], change)
	change(s)
}

// newCompiler returns a compiler that knows the formats of Kubernetes.
func newCompiler() *jsonschema.Compiler {
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft4) // of which OpenAPI 2 and 3.0 have the keywords
	c.AssertFormat()
	c.RegisterFormat(&jsonschema.Format{Name: "int32", Validate: integer(math.MinInt32, math.MaxInt32)})
	c.RegisterFormat(&jsonschema.Format{Name: "int64", Validate: integer(math.MinInt64, math.MaxInt64)})
	c.RegisterFormat(&jsonschema.Format{Name: "byte", Validate: isBase64})
	c.RegisterFormat(&jsonschema.Format{Name: "quantity", Validate: isQuantity})
	return c
}

func integer(least, most int64) func(any) error {
	return func(v any) error {
		n, ok := v.(json.Number)
		if !ok {
			return nil // its type is wrong
		}
		i, err := n.Int64()
		if err != nil || i < least || i > most {
			return fmt.Errorf("not an integer from %d to %d", least, most)
		}
		return nil
	}
}

func isBase64(v any) error {
	s, ok := v.(string)
	if !ok {
		return nil
	}
	if _, err := base64.StdEncoding.DecodeString(s); err != nil {
		return errors.New("not base64")
	}
	return nil
}

// isQuantity also takes numbers, as Kubernetes does.
func isQuantity(v any) error {
	_, err := resource.ParseQuantity(fmt.Sprint(v))
	return err
}
