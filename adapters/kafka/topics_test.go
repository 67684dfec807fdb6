package kafka

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"sidestream/adapters"
)

func routeOf(vars ...string) adapters.Route { return adapters.Route{Vars: vars} }

func TestTopics(t *testing.T) {
	for _, c := range []struct {
		name   string
		topics []string
		vars   adapters.Vars
		want   []string
	}{
		{"names", []string{"orders", "a.b_c-D.1", "..."}, nil, []string{"orders", "a.b_c-D.1", "..."}},
		{"in the order that they are configured in", []string{"b", "a"}, nil, []string{"b", "a"}},
		{"a variable", []string{"{x}"}, adapters.Vars{"x": "orders-1_A"}, []string{"orders-1_A"}},
		{"parts", []string{"a.{x}.{y}-{x}"}, adapters.Vars{"x": "1", "y": "2"}, []string{"a.1.2-1"}},
		{"underscores that are configured", []string{"__{x}", "_schemas-{x}", "__consumer_offsets"}, adapters.Vars{"x": "a"}, []string{"__a", "_schemas-a", "__consumer_offsets"}},
		{"underscores behind a letter", []string{"a{x}"}, adapters.Vars{"x": "__b"}, []string{"a__b"}},
		{"the longest", []string{"{x}"}, adapters.Vars{"x": strings.Repeat("a", 249)}, []string{strings.Repeat("a", 249)}},
	} {
		parsed, err := parseTopics(c.topics, routeOf("x", "y"))
		if err != nil {
			t.Errorf("%s: parseTopics: got %v, want no error", c.name, err)
			continue
		}
		if got, err := parsed.expand(c.vars); err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s: expand: got %q, %v, want %q", c.name, got, err, c.want)
		}
	}
}

func TestBadTopics(t *testing.T) {
	long := strings.Repeat("a", 250)
	for _, c := range []struct {
		topics     []string
		path, want string
	}{
		{nil, "topics", "is needed"},
		{make([]string, 65), "topics", "the most is 64"},
		{[]string{""}, "topics", "no name of a topic"},
		{[]string{"a", ""}, "topics[1]", "no name of a topic"},
		{[]string{"."}, "topics", "more than one or two dots"},
		{[]string{".."}, "topics", "more than one or two dots"},
		{[]string{"a b"}, "topics", "letters, digits"},
		{[]string{"orders*"}, "topics", "letters, digits"},
		{[]string{"a/b"}, "topics", "letters, digits"},
		{[]string{"ä"}, "topics", "letters, digits"},
		{[]string{long}, "topics", "from 1 to 249"},
		{[]string{long[1:] + "{x}"}, "topics", "from 1 to 249"},
		{[]string{"a.{nobody}"}, "topics", "no variable {nobody}; it has x, y"},
		{[]string{"{x...}"}, "topics", `here it is "{x}"`},
		{[]string{"{x"}, "topics", "begins no variable"},
		{[]string{"{}"}, "topics", "begins no variable"},
		{[]string{"{{x}}"}, "topics", "begins no variable"},
		{[]string{"x}"}, "topics", "closing brace"},
		{[]string{"a", "b", "a"}, "topics[2]", `"a" is there twice`},
		{[]string{"{x}", "{x}"}, "topics[1]", "is there twice"},
		{[]string{twin, otherTwin}, "topics[1]", "positions can't tell"},
	} {
		_, err := parseTopics(c.topics, routeOf("x", "y"))
		wantOptionError(t, err, c.path, c.want)
	}
	_, err := parseTopics([]string{"{x}"}, adapters.Route{})
	wantOptionError(t, err, "topics", "it has none at all")
}

// What a client sends is a part of a topic's name, or nothing at all.
func TestBadTopicVariables(t *testing.T) {
	long := strings.Repeat("a", 250)
	for _, c := range []struct {
		topics []string
		value  string
		want   error
	}{
		{[]string{"a.{x}"}, "", errEmpty},
		{[]string{"a.{x}"}, ".", errCharacter},
		{[]string{"a.{x}"}, "..", errCharacter},
		{[]string{"a.{x}"}, "b.c", errCharacter},
		{[]string{"a.{x}"}, "b c", errCharacter},
		{[]string{"a.{x}"}, "b/c", errCharacter},
		{[]string{"a.{x}"}, "{x}", errCharacter},
		{[]string{"a.{x}"}, "b,c", errCharacter},
		{[]string{"a.{x}"}, "b*", errCharacter},
		{[]string{"a.{x}"}, "ä", errCharacter},
		{[]string{"a.{x}"}, "b\n", errCharacter},
		{[]string{"a.{x}"}, "\x00", errCharacter},
		{[]string{"a.{x}"}, "\xff", errCharacter},
		{[]string{"{x}"}, long, errTopicName},
		{[]string{"a.{x}"}, long[:248], errTopicName},
		{[]string{"{x}"}, strings.Repeat("a", adapters.MaxVar+1), errLong},
		{[]string{"{x}"}, "_schemas", errReserved},
		{[]string{"{x}"}, "__consumer_offsets", errReserved},
		{[]string{"_{x}"}, "_consumer_offsets", errReserved},
		{[]string{"orders", "{x}"}, "orders", errTwice},
		{[]string{"{x}", "orders"}, "orders", errTwice},
		{[]string{twin, "{x}"}, otherTwin, errTwice},
	} {
		parsed, err := parseTopics(c.topics, routeOf("x"))
		if err != nil {
			t.Fatal(err)
		}
		got, err := parsed.expand(adapters.Vars{"x": c.value})
		if !errors.Is(err, adapters.ErrBadVariable) || !errors.Is(err, c.want) {
			t.Errorf("%q with %.40q: got %q, %v, want %v", c.topics, c.value, got, err, c.want)
		}
	}
	parsed, err := parseTopics([]string{"{x}"}, routeOf("x"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parsed.expand(nil); !errors.Is(err, adapters.ErrBadVariable) {
		t.Errorf("without the variable: got %v, want %v", err, adapters.ErrBadVariable)
	}
}
