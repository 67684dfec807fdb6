package kube

import (
	"path/filepath"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/util/intstr"

	"sidestream/e2e/chart"
)

// While the first pods with a sidecar take the place of those without, the
// Service leads to each pod's own port: that of the sidecar, and that of the
// application.
func TestFirstRollout(t *testing.T) {
	tree := chart.Tree(t)
	before, err := Decode(chart.Kustomize(t, filepath.Join(tree, "kustomize", "example", "app")))
	if err != nil {
		t.Fatal(err)
	}
	for name, manifests := range map[string][]byte{
		"helm":      chart.Template(t, "orders", filepath.Join(tree, "examples", "legacy-app"), "--kube-version", "1.29.6"),
		"kustomize": chart.Kustomize(t, filepath.Join(tree, "kustomize", "example")),
		"plain":     []byte(text(t, filepath.Join(tree, "examples", "plain", "sidecar.yaml"))),
	} {
		after, err := Decode(manifests)
		if err != nil {
			t.Fatal(err)
		}
		if was, is := serviceOf(t, before), serviceOf(t, after); !equality.Semantic.DeepEqual(was.Spec, is.Spec) {
			t.Errorf("%s: got the Service %v, want it as it was: %v", name, is.Spec, was.Spec)
		}
		target := serviceOf(t, after).Spec.Ports[0].TargetPort
		if got := ServicePort(podOf(t, before), target); got != 3000 {
			t.Errorf("%s: got port %d of an old pod, want the application's, 3000", name, got)
		}
		if got := ServicePort(podOf(t, after), target); got != 8080 {
			t.Errorf("%s: got port %d of a new pod, want the sidecar's, 8080", name, got)
		}
	}
}

func serviceOf(t *testing.T, set Set) (service corev1.Service) {
	t.Helper()
	o := set.Find("Service", "orders")
	if o == nil {
		t.Fatal("got no Service orders, want one")
	}
	if err := o.Into(&service); err != nil {
		t.Fatal(err)
	}
	return service
}

func podOf(t *testing.T, set Set) corev1.PodSpec {
	t.Helper()
	pods, err := set.pods()
	if err != nil || len(pods) != 1 {
		t.Fatalf("got %d pods and %v, want one", len(pods), err)
	}
	return pods[0].Spec
}

// Names of a native sidecar's ports are no port to a Service of every release.
func TestServicePort(t *testing.T) {
	spec := corev1.PodSpec{
		InitContainers: []corev1.Container{{Ports: []corev1.ContainerPort{{Name: "sidecar", ContainerPort: 8080}}}},
		Containers:     []corev1.Container{{Ports: []corev1.ContainerPort{{Name: "app", ContainerPort: 3000}}}},
	}
	for _, c := range []struct {
		target intstr.IntOrString
		want   int32
	}{
		{intstr.FromString("app"), 3000},
		{intstr.FromString("sidecar"), 0},
		{intstr.FromInt32(8080), 8080},
		{intstr.FromInt32(80), 0},
	} {
		if got := ServicePort(spec, c.target); got != c.want {
			t.Errorf("%v: got port %d, want %d", &c.target, got, c.want)
		}
	}
}
