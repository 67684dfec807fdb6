package proxy

import (
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

// TestDocumentedMetrics holds the list of docs/operations.md to what is registered.
func TestDocumentedMetrics(t *testing.T) {
	names := func(text string, re *regexp.Regexp) []string {
		found := map[string]bool{}
		for _, m := range re.FindAllStringSubmatch(text, -1) {
			found[m[1]] = true
		}
		return slices.Sorted(maps.Keys(found))
	}
	descs := make(chan *prometheus.Desc, 1000)
	New(passing(t, "http://app"), Settings{}).metrics.registry.Describe(descs)
	close(descs)
	var registered strings.Builder
	for d := range descs {
		registered.WriteString(d.String() + "\n")
	}
	document, err := os.ReadFile("../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	got := names(registered.String(), regexp.MustCompile(`fqName: "(sidestream_\w+)"`))
	want := names(string(document), regexp.MustCompile("(?m)^\\| `(sidestream_\\w+)"))
	if !slices.Equal(got, want) || len(got) == 0 {
		t.Errorf("metrics:\nregistered %q\ndocumented %q", got, want)
	}
}
