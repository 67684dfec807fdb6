package chart

import (
	"testing"

	"sigs.k8s.io/yaml"
)

// objects takes manifests apart.
func objects(tb testing.TB, manifests []byte) []Object {
	tb.Helper()
	all, err := Objects(manifests)
	if err != nil {
		tb.Fatal(err)
	}
	return all
}

// only returns the one object of a kind, and of a name unless that is empty.
func only(tb testing.TB, all []Object, kind, name string) Object {
	tb.Helper()
	var found []Object
	for _, o := range all {
		if o["kind"] == kind && (name == "" || at(o, "metadata", "name") == name) {
			found = append(found, o)
		}
	}
	if len(found) != 1 {
		tb.Fatalf("got %d objects of kind %s and name %q, want 1", len(found), kind, name)
	}
	return found[0]
}

// at returns what is at a path of keys and indices, nil if nothing is.
func at(value any, path ...any) any {
	for _, step := range path {
		switch step := step.(type) {
		case string:
			switch m := value.(type) {
			case Object:
				value = m[step]
			case map[string]any:
				value = m[step]
			default:
				return nil
			}
		case int:
			list, _ := value.([]any)
			if step >= len(list) {
				return nil
			}
			value = list[step]
		}
	}
	return value
}

// pod returns the pod template of the one Deployment.
func pod(tb testing.TB, all []Object) map[string]any {
	tb.Helper()
	spec, ok := at(only(tb, all, "Deployment", ""), "spec", "template", "spec").(map[string]any)
	if !ok {
		tb.Fatal("got a Deployment without a pod, want one")
	}
	return spec
}

// table returns the routing table of the one ConfigMap that has one.
func table(tb testing.TB, all []Object) string {
	tb.Helper()
	var found []string
	for _, o := range all {
		if text, ok := at(o, "data", "routes.yaml").(string); ok && o["kind"] == "ConfigMap" {
			found = append(found, text)
		}
	}
	if len(found) != 1 {
		tb.Fatalf("got %d ConfigMaps with a routing table, want 1", len(found))
	}
	return found[0]
}

// parse returns a document in YAML as plain values.
func parse(tb testing.TB, text string) map[string]any {
	tb.Helper()
	var v map[string]any
	if err := yaml.UnmarshalStrict([]byte(text), &v); err != nil {
		tb.Fatalf("%v in\n%s", err, text)
	}
	return v
}
