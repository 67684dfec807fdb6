package kube

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// A release is one of Kubernetes, with custom resources of its time. setup.sh
// fetches the schemas.
type release struct {
	version string // as of the module k8s.io/kubernetes
	gateway string // of the Gateway API
}

// The oldest release that the charts are for, the first with native sidecars,
// and the newest.
var releases = []release{{"v1.25.16", "v1.2.1"}, {"v1.29.6", "v1.2.1"}, {"v1.36.3", "v1.6.3"}}

const monitoringVersion = "v0.85.0"

// schemas returns those of a release.
func (r release) schemas(t *testing.T) *Schemas {
	t.Helper()
	once, _ := schemas.LoadOrStore(r, sync.OnceValues(func() (*Schemas, error) {
		monitoring := "github.com/prometheus-operator/prometheus-operator@" + monitoringVersion + "/monitoring.coreos.com_"
		swagger, err := schemaFile("k8s.io/kubernetes@" + r.version + "/swagger.json")
		if err != nil {
			return nil, err
		}
		var custom [][]byte
		for _, name := range []string{
			"sigs.k8s.io/gateway-api@" + r.gateway + "/gateway.networking.k8s.io_httproutes.yaml",
			monitoring + "servicemonitors.yaml", monitoring + "podmonitors.yaml", monitoring + "prometheusrules.yaml",
		} {
			text, err := schemaFile(name)
			if err != nil {
				return nil, err
			}
			custom = append(custom, text)
		}
		return NewSchemas(swagger, custom...)
	}))
	s, err := once.(func() (*Schemas, error))()
	if err != nil {
		t.Fatalf("schemas of %s: %v", r.version, err)
	}
	return s
}

var schemas sync.Map // by release

// schemaFile returns a file that setup.sh has fetched.
func schemaFile(name string) ([]byte, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(filepath.Join(cache, "sidestream", "schemas", name))
	if err != nil {
		return nil, fmt.Errorf("%w (setup.sh fetches what the tests need)", err)
	}
	return text, nil
}

// minor returns the release as in "v1.36".
func (r release) minor() string { return r.version[:strings.LastIndexByte(r.version, '.')] }

func TestAccepted(t *testing.T) {
	for _, r := range releases {
		t.Run(r.version, func(t *testing.T) {
			set := edited(t, "", "", "")
			for _, o := range set {
				if err := r.schemas(t).Check(o); err != nil {
					t.Errorf("got %v, want none", err)
				}
				if err := CheckRestricted(o, r.minor()); err != nil {
					t.Errorf("got %v, want none", err)
				}
			}
			if err := set.CheckLinks(); err != nil {
				t.Errorf("got %v, want none", err)
			}
		})
	}
}

// What a schema refuses, at the place where it is.
func TestRefusedBySchema(t *testing.T) {
	for _, c := range []struct{ name, kind, from, to, want string }{
		{"misspelt field", "Deployment", "readinessProbe:", "readynessProbe:", "/spec/template/spec/containers/0: additional properties 'readynessProbe' not allowed"},
		{"field elsewhere", "Service", "spec:", "spec:\n  replicas: 2", "/spec: additional properties 'replicas' not allowed"},
		{"text for a number", "Deployment", "replicas: 2", `replicas: "2"`, "/spec/replicas: got string, want integer"},
		{"number for an argument", "Deployment", "args: [serve]", "args: [serve, 1]", "/spec/template/spec/containers/0/args/1: got number, want string"},
		{"mapping for a list", "Deployment", "volumes: [{name: config, configMap: {name: gateway}}]", "volumes: {name: config}", "/spec/template/spec/volumes: got object, want array"},
		{"nothing", "Deployment", "replicas: 2", "replicas:", "/spec/replicas: got null, want integer"},
		{"fraction", "Deployment", "replicas: 2", "replicas: 2.5", "/spec/replicas: got number, want integer"},
		{"large number", "Deployment", "containerPort: 8080", "containerPort: 80800000000", "/spec/template/spec/containers/0/ports/0/containerPort: 80800000000 is not valid int32"},
		{"quantity", "Deployment", "memory: 64Mi", "memory: 64MB", "/spec/template/spec/containers/0/resources/requests/memory: '64MB' is not valid quantity"},
		{"missing field", "Deployment", "selector: {matchLabels: {app: gateway}}", "paused: false", "/spec: missing property 'selector'"},
		{"version that is gone", "HorizontalPodAutoscaler", "autoscaling/v2", "autoscaling/v2beta1", "there is no kind HorizontalPodAutoscaler in autoscaling/v2beta1; it is in autoscaling/v1, autoscaling/v2"},
		{"unknown kind", "Service", "kind: Service", "kind: Servise", "there is no kind Servise in v1"},
		{"name", "Service", "name: gateway", "name: Gateway", "metadata.name: Invalid value"},
		{"no name", "Ingress", "metadata: {name: gateway}", "metadata: {}", "metadata.name: Required value"},
		{"label", "Deployment", "app.kubernetes.io/version: 0.1.0", "app.kubernetes.io/version: 0.1.0+debug", "metadata.labels: Invalid value"},
		{"misspelt field of a custom resource", "HTTPRoute", "backendRefs", "backends", "/spec/rules/0: additional properties 'backends' not allowed"},
		{"value of a custom resource", "ServiceMonitor", "interval: 30s", "interval: 30", "/spec/endpoints/0/interval: got number, want string"},
		{"form of a custom resource's value", "ServiceMonitor", "interval: 30s", "interval: half an hour", "does not match pattern"},
		{"metadata of a custom resource", "HTTPRoute", "metadata: {name: gateway}", "metadata: {name: gateway, label: {a: b}}", "/metadata: additional properties 'label' not allowed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, r := range releases {
				var got []string
				for _, o := range edited(t, c.kind, c.from, c.to) {
					if err := r.schemas(t).Check(o); err != nil {
						got = append(got, err.Error())
					}
				}
				if len(got) != 1 || !strings.Contains(got[0], c.want) {
					t.Errorf("%s: got %q, want one that contains %q", r.version, got, c.want)
				}
			}
		})
	}
}

// A field is refused by a release that is older than the field.
func TestRefusedByRelease(t *testing.T) {
	for _, c := range []struct {
		name, kind, from, to string
		want                 []string // of each release; "": it is accepted
	}{
		{
			"native sidecar", "Deployment", "      containers:", "      initContainers: [{name: first, image: x, restartPolicy: Always}]\n      containers:",
			[]string{"/spec/template/spec/initContainers/0: additional properties 'restartPolicy' not allowed", "", ""},
		},
		{
			"hook that sleeps", "Deployment", "          args:", "          lifecycle: {preStop: {sleep: {seconds: 5}}}\n          args:",
			[]string{"/spec/template/spec/containers/0/lifecycle/preStop: additional properties 'sleep' not allowed", "", ""},
		},
		{
			"trafficDistribution", "Service", "spec:", "spec:\n  trafficDistribution: PreferClose",
			[]string{"/spec: additional properties 'trafficDistribution' not allowed", "/spec: additional properties 'trafficDistribution' not allowed", ""},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			for i, r := range releases {
				var got []string
				for _, o := range edited(t, c.kind, c.from, c.to) {
					if err := r.schemas(t).Check(o); err != nil {
						got = append(got, err.Error())
					}
				}
				if c.want[i] == "" && got != nil || c.want[i] != "" && (len(got) != 1 || !strings.Contains(got[0], c.want[i])) {
					t.Errorf("%s: got %q, want %q", r.version, got, c.want[i])
				}
			}
		})
	}
}

func TestRefusedByDecode(t *testing.T) {
	for _, c := range []struct{ name, manifest, want string }{
		{"a key twice", "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {type: NodePort, type: ClusterIP}\n", `key "type" already set in map`},
		{"a label that is a number", "apiVersion: v1\nkind: Service\nmetadata: {name: a, labels: {b: 1}}\n", "cannot unmarshal number"},
		{"no YAML", "apiVersion: v1\n kind: Service\n", "mapping values are not allowed"},
		{"a text", "just a text\n", "cannot unmarshal string"},
	} {
		t.Run(c.name, func(t *testing.T) {
			set, err := Decode([]byte(c.manifest))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v and %v, want an error that contains %q", set, err, c.want)
			}
		})
	}
}
