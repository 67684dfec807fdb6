package chart

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A table given as a text keeps its comments and its words where the chart adds
// to parts of it.
func TestTextWithParts(t *testing.T) {
	chart := filepath.Join(source(t), "sidestream")
	for _, test := range []struct {
		name, text string
		want       []string
	}{
		{"in lines", "limits:   # ours\n  # measured\n  streams: 10\ndrain:\n    window: 1m   # slowly\nadmin: off\nupstream: http://app:3000\n", []string{
			"limits:   # ours\n  # measured\n  clients: 5000\n  streams: 10\n",
			"drain:\n    timeout: \"10s\"\n    delay: \"5s\"\n    window: 1m   # slowly\n",
			"admin: off\n",
		}},
		{"in braces", "limits: {streams: 10} # ours\ndrain: {}\nadmin: off\nupstream: http://app:3000\n", []string{
			"limits: {clients: 5000, streams: 10} # ours\n", "admin: off\n",
		}},
		{"all of it", "limits: {clients: 7} # ours\ndrain: {delay: 1s, window: 2s, timeout: 3s} # ours\nupstream: http://app:3000\n", []string{
			"limits: {clients: 7} # ours\n", "drain: {delay: 1s, window: 2s, timeout: 3s} # ours\n",
		}},
	} {
		path := filepath.Join(t.TempDir(), "routes.yaml")
		if err := os.WriteFile(path, []byte(test.text), 0o600); err != nil {
			t.Fatal(err)
		}
		manifests := Template(t, "live", chart, "--set-file", "config.table="+path)
		got := table(t, objects(t, manifests))
		for _, want := range test.want {
			if !strings.Contains(got, want) {
				t.Errorf("%s: got\n%s\nwant in it\n%s", test.name, got, want)
			}
		}
		checkTable(t, manifests)
	}
}

// What is there without a value is as if it weren't.
func TestEmptyParts(t *testing.T) {
	chart := filepath.Join(source(t), "sidestream")
	for _, set := range []string{
		`defaults=null`, `defaults={"history":null}`, `history=null`, `history={"nats":null}`, `history={"nats":{"embedded":null}}`,
		`listen=null`, `trusted_proxies=null`, `routes=[{"path":"/events/clock","generate":{"every":"1s"},"history":null}]`,
		`limits=null`, `limits={"clients":null}`, `drain=null`, `drain={"delay":null}`,
	} {
		manifests := Template(t, "live", chart, "--set-json", clock, "--set-json", "config.table."+set, "--set", "metrics.prometheusRule.enabled=true")
		got := parse(t, table(t, objects(t, manifests)))
		if clients, delay := at(got, "limits", "clients"), at(got, "drain", "delay"); clients != float64(5000) || delay != "5s" {
			t.Errorf("%s: got limits.clients %v and drain.delay %v, want 5000 and 5s", set, clients, delay)
		}
		checkTable(t, manifests)
	}
}

// What a pod takes is in its table, and known to the alert; a table's own bound
// goes before that.
func TestClients(t *testing.T) {
	chart := filepath.Join(source(t), "sidestream")
	for _, test := range []struct {
		set  []string
		want string
	}{
		{nil, "5000"},
		{[]string{`limits.clients=8000`}, "8000"},
		{[]string{`limits.clients=8000`, `config.table.limits={"clients":20000}`}, "20000"},
		{[]string{`config.table.limits={"streams":5}`}, "5000"},
		{[]string{`config.table=null`, `config.existingConfigMap="x"`, `limits.clients=700`}, "700"},
	} {
		args := []string{"--set", "metrics.prometheusRule.enabled=true", "--set-json", clock}
		for _, s := range test.set {
			args = append(args, "--set-json", s)
		}
		all := objects(t, Template(t, "live", chart, args...))
		if rules := fmt.Sprint(only(t, all, "PrometheusRule", "")); !strings.Contains(rules, "> 0.8 * "+test.want+" ") {
			t.Errorf("%q: got rules %s, want one of more than 0.8 * %s", test.set, rules, test.want)
		}
		if !strings.Contains(fmt.Sprint(test.set), "existingConfigMap") {
			if got := fmt.Sprint(at(parse(t, table(t, all)), "limits", "clients")); got != test.want {
				t.Errorf("%q: got limits.clients %s, want %s", test.set, got, test.want)
			}
		}
	}
}
