package chart

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/prometheus/promql/parser"
)

// exposed are the metrics that docs/operations.md lists, which a test of the program
// holds to those that there are, with their labels.
type exposed map[string][]string

// Of every process, by the client library.
var ofProcess = []string{"process_open_fds", "process_max_fds", "process_resident_memory_bytes", "process_cpu_seconds_total"}

// What Prometheus adds when it collects from a pod.
var ofTarget = []string{"namespace", "pod", "container"}

func readExposed(t *testing.T) (exposed, string) {
	t.Helper()
	document, err := os.ReadFile(filepath.Join("..", "..", "docs", "operations.md"))
	if err != nil {
		t.Fatal(err)
	}
	found := exposed{}
	for _, m := range regexp.MustCompile("(?m)^\\| `(sidestream_\\w+)(?:\\{([^}]*)\\})?` \\|").FindAllStringSubmatch(string(document), -1) {
		found[m[1]] = append(strings.Split(m[2], ","), ofTarget...)
	}
	for _, name := range ofProcess {
		found[name] = ofTarget
	}
	buckets := "sidestream_fanout_seconds"
	found[buckets+"_bucket"] = append([]string{"le"}, found[buckets]...)
	if len(found) < 15 {
		t.Fatalf("got metrics %q in operations.md, want some 20", slices.Sorted(maps.Keys(found)))
	}
	return found, string(document)
}

// check reports what an expression asks for that isn't there.
func (e exposed) check(expression, document string) error {
	parsed, err := parser.NewParser(parser.Options{}).ParseExpr(expression)
	if err != nil {
		return err
	}
	var wrong []error
	parser.Inspect(parsed, func(node parser.Node, _ []parser.Node) error {
		switch node := node.(type) {
		case *parser.VectorSelector:
			wrong = append(wrong, e.checkSelector(node, document))
		case *parser.AggregateExpr:
			wrong = append(wrong, e.checkGrouping(node))
		}
		return nil
	})
	return errors.Join(wrong...)
}

func (e exposed) checkSelector(s *parser.VectorSelector, document string) error {
	known, ok := e[s.Name]
	if !ok {
		return fmt.Errorf("there is no metric %s", s.Name)
	}
	for _, m := range s.LabelMatchers {
		if m.Name == "__name__" {
			continue
		}
		if !slices.Contains(known, m.Name) {
			return fmt.Errorf("%s has no label %s", s.Name, m.Name)
		}
		if slices.Contains(ofTarget, m.Name) || m.Name == "route" {
			continue
		}
		for value := range strings.SplitSeq(m.Value, "|") {
			if !strings.Contains(document, "`"+value+"`") {
				return fmt.Errorf("%s: operations.md knows of no %s %q", s.Name, m.Name, value)
			}
		}
	}
	return nil
}

// checkGrouping reports labels that nothing has which is summed up.
func (e exposed) checkGrouping(a *parser.AggregateExpr) error {
	var unknown []string
	parser.Inspect(a.Expr, func(node parser.Node, _ []parser.Node) error {
		if s, ok := node.(*parser.VectorSelector); ok {
			for _, name := range a.Grouping {
				if !slices.Contains(e[s.Name], name) {
					unknown = append(unknown, s.Name+" by "+name)
				}
			}
		}
		return nil
	})
	if len(unknown) > 0 {
		return fmt.Errorf("%q are summed up by labels that they don't have", unknown)
	}
	return nil
}

func TestAlerts(t *testing.T) {
	metrics, document := readExposed(t)
	manifests := Template(t, "live", filepath.Join(source(t), "sidestream"), "--namespace", "web", "--set-json", clock,
		"--set", "metrics.prometheusRule.enabled=true,metrics.prometheusRule.stateAge=7200,config.table.limits.clients=20000")
	rule := only(t, objects(t, manifests), "PrometheusRule", "")
	rules, _ := at(rule, "spec", "groups", 0, "rules").([]any)
	if len(rules) < 10 {
		t.Fatalf("got %d alerts, want at least 10", len(rules))
	}
	label := regexp.MustCompile(`\{\{ \$labels\.(\w+) \}\}`)
	for _, r := range rules {
		name, expression := at(r, "alert").(string), at(r, "expr").(string)
		if err := metrics.check(expression, document); err != nil {
			t.Errorf("%s: %v\n%s", name, err, expression)
		}
		if !strings.Contains(expression, `namespace="web"`) {
			t.Errorf("%s: got %s, want matchers for the release's namespace", name, expression)
		}
		if at(r, "labels", "severity") == nil {
			t.Errorf("%s: got no severity, want one", name)
		}
		// A text may only speak of labels that the result has.
		for _, key := range []string{"summary", "description"} {
			text, _ := at(r, "annotations", key).(string)
			if text == "" {
				t.Errorf("%s: got no %s, want one", name, key)
			}
			for _, m := range label.FindAllStringSubmatch(text, -1) {
				if !strings.Contains(expression, m[1]) {
					t.Errorf("%s: the %s names the label %s, which the expression doesn't keep", name, key, m[1])
				}
			}
		}
	}
	full := fmt.Sprint(rules)
	for _, want := range []string{"> 0.8 * 20000", "> 7200"} {
		if !strings.Contains(full, want) {
			t.Errorf("got %s, want %q in it", full, want)
		}
	}
	if left := regexp.MustCompile("SELECTOR|CLIENTS|STATE_AGE").FindString(full); left != "" {
		t.Errorf("got %s, want nothing left of %s", full, left)
	}
}

func TestDashboard(t *testing.T) {
	metrics, document := readExposed(t)
	manifests := Template(t, "live", filepath.Join(source(t), "sidestream"), "--set-json", clock, "--set", "metrics.dashboard.enabled=true")
	text, _ := at(only(t, objects(t, manifests), "ConfigMap", "live-sidestream-dashboard"), "data", "sidestream.json").(string)
	type datasource struct{ Type, UID string }
	var board struct {
		UID, Title string
		Templating struct {
			List []struct{ Name, Type, Definition string }
		}
		Panels []struct {
			ID          int
			Type, Title string
			GridPos     struct{ X, Y, W, H int }
			Targets     []struct {
				RefID      string
				Datasource datasource
				Expr       string
			}
		}
	}
	if err := json.Unmarshal([]byte(text), &board); err != nil {
		t.Fatal(err)
	}
	variables := []string{"__rate_interval"}
	for _, v := range board.Templating.List {
		variables = append(variables, v.Name)
		if v.Type != "query" {
			continue
		}
		m := regexp.MustCompile(`^label_values\((.*), (\w+)\)$`).FindStringSubmatch(v.Definition)
		if m == nil {
			t.Errorf("variable %s: got %q, want label_values(…, …)", v.Name, v.Definition)
			continue
		}
		if err := metrics.check("sum by ("+m[2]+") ("+m[1]+")", document); err != nil {
			t.Errorf("variable %s: %v", v.Name, err)
		}
	}
	used, ids, taken := map[string]bool{}, map[int]bool{}, map[[2]int]string{}
	variable := regexp.MustCompile(`\$\{?(\w+)\}?`)
	for _, p := range board.Panels {
		if ids[p.ID] {
			t.Errorf("%s: got the id %d, which another panel has", p.Title, p.ID)
		}
		ids[p.ID] = true
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				if other, ok := taken[[2]int{x, y}]; ok || x >= 24 {
					t.Fatalf("%s: got column %d, row %d, which is %q's or beyond the edge", p.Title, x, y, other)
				}
				taken[[2]int{x, y}] = p.Title
			}
		}
		if len(p.Targets) == 0 && p.Type != "row" {
			t.Errorf("%s: got no query, want one", p.Title)
		}
		for _, target := range p.Targets {
			for _, m := range variable.FindAllStringSubmatch(target.Expr+target.Datasource.UID, -1) {
				used[m[1]] = true
				if !slices.Contains(variables, m[1]) {
					t.Errorf("%s: got the variable %s, which there isn't", p.Title, m[1])
				}
			}
			if err := metrics.check(strings.ReplaceAll(target.Expr, "$__rate_interval", "5m"), document); err != nil {
				t.Errorf("%s: %v\n%s", p.Title, err, target.Expr)
			}
		}
	}
	for _, name := range variables {
		if !used[name] {
			t.Errorf("got the variable %s, which nothing uses", name)
		}
	}
}
