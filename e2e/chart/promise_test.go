package chart

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// A change of the table changes the ConfigMap and nothing else, so that no pod
// is restarted; and the ConfigMap is mounted so that the change gets in.
func TestInPlace(t *testing.T) {
	tree := Tree(t)
	for _, test := range []struct{ chart, set string }{
		{"sidestream", "%s"},
		{"examples/legacy-app", "sidestream.%s"},
	} {
		render := func(path string) []Object {
			set := fmt.Sprintf(test.set, strings.ReplaceAll(clock, "/events/clock", path))
			return objects(t, Template(t, "live", filepath.Join(tree, test.chart), "--set-json", set))
		}
		before, after := render("/a"), render("/b")
		if reflect.DeepEqual(before, after) {
			t.Errorf("%s: got the same table, want another", test.chart)
		}
		isTable := func(o Object) bool { return o["kind"] == "ConfigMap" }
		if before, after := slices.DeleteFunc(before, isTable), slices.DeleteFunc(after, isTable); !reflect.DeepEqual(before, after) {
			t.Errorf("%s: got\n%v\nbeside the ConfigMap, want it unchanged\n%v", test.chart, after, before)
		}
		for _, mount := range at(sidecarOf(t, pod(t, before)), "volumeMounts").([]any) {
			if at(mount, "subPath") != nil {
				t.Errorf("%s: got %v, want no subPath", test.chart, mount)
			}
		}
	}
}

// sidecarOf returns the container of the program.
func sidecarOf(t *testing.T, pod map[string]any) map[string]any {
	t.Helper()
	for _, list := range []string{"initContainers", "containers"} {
		containers, _ := pod[list].([]any)
		for _, c := range containers {
			if at(c, "name") == "sidestream" {
				return c.(map[string]any)
			}
		}
	}
	t.Fatal("got a pod without a container sidestream, want one")
	return nil
}

// The kubelet waits until the program has left, however its table says that it
// does.
func TestGracePeriod(t *testing.T) {
	chart := filepath.Join(source(t), "sidestream")
	for _, test := range []struct {
		set  []string
		want float64
	}{
		{nil, 5 + 5 + 10 + 5},
		{[]string{`drain.delay="20s"`, `drain.window="1m30s"`, `drain.timeout="1.5s"`}, 20 + 90 + 2 + 5},
		{[]string{`drain={"delay":"1ms","window":"1ms","timeout":"1ms"}`}, 1 + 5},
		{[]string{`config.table.drain={"window":"30s"}`}, 5 + 30 + 10 + 5}, // the chart's for the rest
		{[]string{`config.table.drain={"window":0,"timeout":0}`}, 5 + 5},
		{[]string{`config.table.drain=null`}, 5 + 5 + 10 + 5},
		{[]string{`config.table=null`, `config.existingConfigMap="x"`, `drain.window="40s"`}, 5 + 40 + 10 + 5},
		{[]string{`config.table="drain: {delay: 1h}\nroutes: []\n"`}, 3600 + 5 + 10 + 5},
		{[]string{`terminationGracePeriodSeconds=300`}, 300},
	} {
		args := []string{"--set-json", clock}
		for _, s := range test.set {
			args = append(args, "--set-json", s)
		}
		if got := pod(t, objects(t, Template(t, "live", chart, args...)))["terminationGracePeriodSeconds"]; got != test.want {
			t.Errorf("%q: got %v s, want %v", test.set, got, test.want)
		}
	}
}

// The application waits, and the pod with it, for as long as that is said and no
// longer: a hook that waits for nothing is refused by Kubernetes before 1.33.
func TestSidecarGracePeriod(t *testing.T) {
	app := filepath.Join(Tree(t), "examples", "legacy-app")
	for _, test := range []struct {
		kube, set string
		lifecycle string
		want      float64
	}{
		{"1.36.0", `{}`, "map[preStop:map[sleep:map[seconds:5]]]", 5 + 30 + 0 + 5 + 10 + 5},
		{"1.29.0", `{}`, "map[preStop:map[exec:map[command:[sleep 5]]]]", 5 + 30 + 0 + 5 + 10 + 5},
		{"1.28.0", `{}`, "map[preStop:map[exec:map[command:[sleep 10]]]]", 10 + 30 + 5 + 5 + 10 + 5},
		{"1.36.0", `{"sidecar":{"appDelay":"0s","appTimeout":"1m"}}`, "map[]", 0 + 60 + 0 + 5 + 10 + 5},
		{"1.36.0", `{"sidecar":{"appDelay":"1500ms","appTimeout":"1s"},"drain":{"window":"20s"}}`,
			"map[preStop:map[sleep:map[seconds:2]]]", 2 + 1 + 0 + 20 + 10 + 5},
	} {
		got := pod(t, objects(t, Template(t, "live", app, "--kube-version", test.kube, "--set-json", "sidestream="+test.set)))
		if got["terminationGracePeriodSeconds"] != test.want {
			t.Errorf("%s: %s: got %v s, want %v", test.kube, test.set, got["terminationGracePeriodSeconds"], test.want)
		}
		containers := got["containers"].([]any)
		if lifecycle := fmt.Sprint(at(containers[len(containers)-1], "lifecycle")); lifecycle != test.lifecycle {
			t.Errorf("%s: %s: got the application's lifecycle %s, want %s", test.kube, test.set, lifecycle, test.lifecycle)
		}
	}
}

// What is there to be copied, and what kustomize makes, is what the template
// renders.
func TestCopies(t *testing.T) {
	tree := Tree(t)
	rendered := objects(t, Template(t, "orders", filepath.Join(tree, "examples", "legacy-app"), "--kube-version", "1.36.0"))
	want := pod(t, rendered)
	plain, err := os.ReadFile(filepath.Join(tree, "examples", "plain", "sidecar.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for name, manifests := range map[string][]byte{
		"plain":     plain,
		"kustomize": Kustomize(t, filepath.Join(tree, "kustomize", "example")),
	} {
		all := objects(t, manifests)
		got := pod(t, all)
		if !reflect.DeepEqual(sidecarOf(t, got), sidecarOf(t, want)) {
			t.Errorf("%s: got the container\n%v\nwant\n%v", name, sidecarOf(t, got), sidecarOf(t, want))
		}
		for _, path := range [][]any{
			{"terminationGracePeriodSeconds"},
			{"containers", 0, "lifecycle"},
			{"volumes", 0, "name"},
		} {
			if got, want := at(got, path...), at(want, path...); !reflect.DeepEqual(got, want) {
				t.Errorf("%s: %v: got %v, want %v", name, path, got, want)
			}
		}
		config := only(t, all, "ConfigMap", "")
		if got, want := at(got, "volumes", 0, "configMap", "name"), at(config, "metadata", "name"); got != want {
			t.Errorf("%s: got a volume of the ConfigMap %v, want %v", name, got, want)
		}
		port := []any{"spec", "ports", 0, "targetPort"}
		if got, want := at(only(t, all, "Service", ""), port...), at(only(t, rendered, "Service", ""), port...); got != want {
			t.Errorf("%s: got a Service to port %v, want %v", name, got, want)
		}
		// The chart writes down what the program does by default.
		byDefault := map[string]any{"listen": ":8080", "drain": map[string]any{"delay": "0s", "window": "5s", "timeout": "10s"}}
		got, wantTable := parse(t, table(t, all)), parse(t, table(t, rendered))
		for key, value := range byDefault {
			got[key] = value
		}
		if !reflect.DeepEqual(got, wantTable) {
			t.Errorf("%s: got the table %v, want %v", name, got, wantTable)
		}
		checkTable(t, manifests)
	}
}

// Whatever the program is started with, it knows.
func TestArguments(t *testing.T) {
	chart := filepath.Join(source(t), "sidestream")
	rendered := objects(t, Template(t, "live", chart, "--set-json", clock, "--set-json", `extraArgs=["--log-level=debug"]`))
	streaming := objects(t, Template(t, "live", chart, "--set-json", clock, "--set", "test.path=/events/clock"))
	for name, container := range map[string]any{
		"gateway":        sidecarOf(t, pod(t, rendered)),
		"test":           at(only(t, rendered, "Pod", ""), "spec", "containers", 0),
		"test of a path": at(only(t, streaming, "Pod", ""), "spec", "containers", 0),
	} {
		var args []string
		for _, arg := range at(container, "args").([]any) {
			args = append(args, arg.(string))
		}
		// Flags are read in order, and an unknown one ends that.
		args = append(args, "--help")
		out, err := exec.CommandContext(t.Context(), sidestream, args...).CombinedOutput()
		if err != nil || !strings.Contains(string(out), "sidestream "+args[0]) {
			t.Errorf("%s: %q: got error %v and %q, want what the command does", name, args, err, out)
		}
	}
}

// NOTES.txt is shown after an installation.
func TestNotes(t *testing.T) {
	chart := filepath.Join(source(t), "sidestream")
	for _, name := range []string{"minimal", "production", "tls", "existing", "gateway-api", "gateway-tls"} {
		out, err := Helm(t, "install", "live", chart, "--namespace", "web", "--dry-run=client", "--values", filepath.Join("testdata", name+".values.yaml"))
		if err != nil {
			t.Fatal(err)
		}
		_, notes, ok := strings.Cut(string(out), "\nNOTES:\n")
		if !ok {
			t.Fatalf("%s: got no notes, want some\n%s", name, out)
		}
		golden(t, filepath.Join("testdata", name+".notes.txt"), []byte(notes))
	}
}
