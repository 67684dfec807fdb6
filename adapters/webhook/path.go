package webhook

import (
	"slices"
	"strings"

	"sidestream/adapters"
)

// checkIngest complains of a path at which events can't come in for the
// streams of route.
func checkIngest(c *adapters.OptionErrors, ingest string, route adapters.Route) {
	got, err := adapters.PathVariables(ingest)
	if err != nil {
		c.Refuse(true, "ingest", "%w", err)
		return
	}
	want := slices.Clone(route.Vars)
	slices.Sort(got)
	slices.Sort(want)
	c.Refuse(!slices.Equal(got, want), "ingest", "%q has %s, and the route's streams are told apart by %s; it has to have just these, as in %s",
		ingest, braced(got), braced(want), example(ingest, want))
}

// braced names variables.
func braced(names []string) string {
	if len(names) == 0 {
		return "no variable"
	}
	return "{" + strings.Join(names, "}, {") + "}"
}

// example returns a path that begins as ingest does and has the given
// variables.
func example(ingest string, names []string) string {
	fixed, _, _ := strings.Cut(ingest, "{")
	parts := []string{strings.TrimSuffix(fixed, "/")}
	for _, name := range names {
		parts = append(parts, "{"+name+"}")
	}
	if whole := strings.Join(parts, "/"); whole != "" {
		return whole
	}
	return "/"
}
