package webhook

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"sidestream/adapters"
)

var variable = regexp.MustCompile(`^\{([A-Za-z_][A-Za-z0-9_]*)(\.\.\.)?\}$`)

// pathVariables returns the names of the variables in a path pattern in the
// form of [adapters.Route.Path].
func pathVariables(pattern string) ([]string, error) {
	if !strings.HasPrefix(pattern, "/") {
		return nil, fmt.Errorf(`%q must start with "/"`, pattern)
	}
	if clean := path.Clean(pattern); clean != pattern && clean+"/" != pattern {
		return nil, fmt.Errorf("%q would never match, since it isn't clean; %q would", pattern, clean)
	}
	var names []string
	segments := strings.Split(pattern[1:], "/")
	for i, segment := range segments {
		if !strings.ContainsAny(segment, "{}") {
			continue
		}
		parts := variable.FindStringSubmatch(segment)
		switch {
		case parts == nil:
			return nil, fmt.Errorf(`%q: a variable is a whole segment, "{name}", or "{name...}" as the last one`, segment)
		case parts[2] != "" && i != len(segments)-1:
			return nil, fmt.Errorf("%q can only be the last segment", segment)
		case slices.Contains(names, parts[1]):
			return nil, fmt.Errorf("the variable %q stands there twice", parts[1])
		}
		names = append(names, parts[1])
	}
	return names, nil
}

// checkIngest complains of a path at which events can't come in for the
// streams of route.
func checkIngest(c *adapters.OptionErrors, ingest string, route adapters.Route) {
	got, err := pathVariables(ingest)
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
