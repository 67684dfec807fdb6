package chart

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// What an object has of its own goes before commonLabels, and nothing is there
// twice, which Objects refuses.
func TestLabels(t *testing.T) {
	manifests := Template(t, "live", filepath.Join(source(t), "sidestream"), "--set-json", clock,
		"--set-json", `commonLabels={"team":"live","tier":"edge"}`,
		"--set-json", `service.labels={"team":"shop"}`,
		"--set-json", `podLabels={"team":"shop"}`,
		"--set-json", `metrics.serviceMonitor={"enabled":true,"labels":{"team":"shop"}}`,
		"--set-json", `metrics.prometheusRule={"enabled":true,"labels":{"team":"shop"}}`,
		"--set-json", `metrics.dashboard={"enabled":true,"labels":{"team":"shop"}}`)
	all := objects(t, manifests)
	for _, of := range []struct{ kind, name string }{
		{"Service", "live-sidestream"}, {"ServiceMonitor", ""}, {"PrometheusRule", ""}, {"ConfigMap", "live-sidestream-dashboard"},
	} {
		labels := at(only(t, all, of.kind, of.name), "metadata", "labels")
		if team, tier := at(labels, "team"), at(labels, "tier"); team != "shop" || tier != "edge" {
			t.Errorf("%s: got team %v and tier %v, want shop and edge", of.kind, team, tier)
		}
	}
	labels := at(only(t, all, "Deployment", ""), "spec", "template", "metadata", "labels")
	if team, tier := at(labels, "team"), at(labels, "tier"); team != "shop" || tier != "edge" {
		t.Errorf("pod: got team %v and tier %v, want shop and edge", team, tier)
	}
}

// Alerts may all be somebody's own.
func TestOwnAlerts(t *testing.T) {
	chart := filepath.Join(source(t), "sidestream")
	rules := func(set string) []string {
		t.Helper()
		out := Template(t, "live", chart, "--set-json", clock, "--set-json", "metrics.prometheusRule="+set)
		list, _ := at(only(t, objects(t, out), "PrometheusRule", ""), "spec", "groups", 0, "rules").([]any)
		var names []string
		for _, r := range list {
			names = append(names, at(r, "alert").(string))
		}
		return names
	}
	all := rules(`{"enabled":true}`)
	if !slices.Contains(all, "SidestreamFull") {
		t.Fatalf("got alerts %q, want SidestreamFull among them", all)
	}
	disabled := fmt.Sprintf(`"%s"`, strings.Join(all, `","`))
	if got := rules(`{"enabled":true,"disabled":[` + disabled + `],"additionalRules":[{"alert":"Ours","expr":"vector(1)"}]}`); !slices.Equal(got, []string{"Ours"}) {
		t.Errorf("got alerts %q, want one, Ours", got)
	}
	if got := rules(`{"enabled":true,"disabled":[` + disabled + `]}`); len(got) != 0 {
		t.Errorf("got alerts %q, want none", got)
	}
}

// Charts and examples name the image that the Dockerfile builds, and no other,
// so that they can be followed.
func TestImages(t *testing.T) {
	tree := Tree(t)
	plain, err := os.ReadFile(filepath.Join(tree, "examples", "plain", "sidecar.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for name, manifests := range map[string][]byte{
		"helm":      Template(t, "orders", filepath.Join(tree, "examples", "legacy-app")),
		"kustomize": Kustomize(t, filepath.Join(tree, "kustomize", "example")),
		"plain":     plain,
	} {
		found := regexp.MustCompile(`(?m)^ *(?:- )?image: "?([^"\n]*)"?$`).FindAllSubmatch(manifests, -1)
		if len(found) != 2 {
			t.Errorf("%s: got %d images, want the application's and the sidecar's", name, len(found))
		}
		for _, m := range found {
			if got := string(m[1]); got != "sidestream:0.1.0" {
				t.Errorf("%s: got the image %s, want sidestream:0.1.0", name, got)
			}
		}
	}
}
