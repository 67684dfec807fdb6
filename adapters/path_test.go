package adapters_test

import (
	"slices"
	"testing"

	"sidestream/adapters"
)

func TestPathVariables(t *testing.T) {
	const whole = `: a variable is a whole segment, "{name}", or "{name...}" as the last one`
	for pattern, want := range map[string]struct {
		names []string
		err   string // "" for none
	}{
		"/":                     {nil, ""},
		"/a":                    {nil, ""},
		"/a/":                   {nil, ""},
		"/a.b/c d/é":            {nil, ""},
		"/{id}":                 {[]string{"id"}, ""},
		"/{b}/x/{a}/":           {[]string{"b", "a"}, ""},
		"/{_1}/{A9...}":         {[]string{"_1", "A9"}, ""},
		"/{rest...}":            {[]string{"rest"}, ""},
		"":                      {nil, `"" must start with "/"`},
		"a/{id}":                {nil, `"a/{id}" must start with "/"`},
		"//a":                   {nil, `"//a" would never match, since it isn't clean; "/a" would`},
		"/a//":                  {nil, `"/a//" would never match, since it isn't clean; "/a" would`},
		"/a/../{id}":            {nil, `"/a/../{id}" would never match, since it isn't clean; "/{id}" would`},
		"/a/.":                  {nil, `"/a/." would never match, since it isn't clean; "/a" would`},
		"/a-{id}":               {nil, `"a-{id}"` + whole},
		"/{a}{b}":               {nil, `"{a}{b}"` + whole},
		"/{a}-{b}":              {nil, `"{a}-{b}"` + whole},
		"/{}":                   {nil, `"{}"` + whole},
		"/{...}":                {nil, `"{...}"` + whole},
		"/{$}":                  {nil, `"{$}"` + whole},
		"/{1a}":                 {nil, `"{1a}"` + whole},
		"/{a b}":                {nil, `"{a b}"` + whole},
		"/{é}":                  {nil, `"{é}"` + whole},
		"/{a\n}":                {nil, `"{a\n}"` + whole},
		"/{a....}":              {nil, `"{a....}"` + whole},
		"/{a":                   {nil, `"{a"` + whole},
		"/a}":                   {nil, `"a}"` + whole},
		"/{rest...}/a":          {nil, `"{rest...}" can only be the last segment`},
		"/{rest...}/":           {nil, `"{rest...}" can only be the last segment`},
		"/{id}/{id}":            {nil, `the variable "id" stands there twice`},
		"/{id}/{other}/{id...}": {nil, `the variable "id" stands there twice`},
	} {
		names, err := adapters.PathVariables(pattern)
		got := ""
		if err != nil {
			got = err.Error()
		}
		if !slices.Equal(names, want.names) || got != want.err {
			t.Errorf("%q: got %q, %q, want %q, %q", pattern, names, got, want.names, want.err)
		}
	}
}
