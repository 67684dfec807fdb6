package generate

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"sidestream/adapters"
)

func TestOptionsRefused(t *testing.T) {
	for name, test := range map[string]struct {
		change func(o *Options)
		path   string
		says   string
	}{
		"interval":          {func(o *Options) { o.Every = adapters.Duration(366 * 24 * time.Hour) }, "every", "at most 8760h"},
		"jitter":            {func(o *Options) { o.Jitter = 1.5 }, "jitter", "from 0 to 1"},
		"jitter not number": {func(o *Options) { o.Jitter = adapters.Fraction(math.NaN()) }, "jitter", "from 0 to 1"},
		"jitter of nothing": {func(o *Options) { o.Every, o.Jitter = 0, 0.5 }, "jitter", "set every above 0"},
		"first":             {func(o *Options) { o.First = "soon" }, "first", "at_once, after_interval"},
		"choose":            {func(o *Options) { o.Choose = "best" }, "choose", "random, cycle"},
		"count":             {func(o *Options) { o.Count = -1 }, "count", "0 for no end"},
		"no bytes":          {func(o *Options) { o.MaxBytes = 0 }, "max_bytes", "from 1 to 1GiB"},
		"many bytes":        {func(o *Options) { o.MaxBytes = 1<<30 + 1 }, "max_bytes", "from 1 to 1GiB"},
		"both forms": {func(o *Options) {
			o.Data = "a"
			o.Events = []Event{{Data: "b"}}
		}, "events", "element of events"},
		"reserved type":   {func(o *Options) { o.Type = "stream.gap" }, "type", "reserved"},
		"type with break": {func(o *Options) { o.Events = []Event{{}, {Type: "a\ndata: b"}} }, "events[1].type", "one line"},
		"weight of 0":     {func(o *Options) { o.Events = []Event{{Weight: new(0)}} }, "events[0].weight", "from 1"},
		"weight too high": {func(o *Options) { o.Events = []Event{{Weight: new(1_000_001)}} }, "events[0].weight", "to 1000000"},
		"weight in cycle": {func(o *Options) {
			o.Choose = "cycle"
			o.Events = []Event{{Weight: new(2)}}
		}, "events[0].weight", "choose: random"},

		"syntax":           {func(o *Options) { o.Data = "{{" }, "data", "unclosed action"},
		"unknown function": {func(o *Options) { o.Data = "{{now}}" }, "data", `"now" not defined`},
		"unknown field":    {func(o *Options) { o.Data = "{{.Number}}" }, "data", "Number"},
		"unknown variable": {func(o *Options) { o.Data = "{{.Vars.usr}}" }, "data", `"usr"`},
		"range upside down": {func(o *Options) {
			o.Events = []Event{{Data: "fine"}, {Data: "{{random 2 1}}"}}
		}, "events[1].data", "2, is above the second, 1"},
		"nothing to pick from": {func(o *Options) { o.Data = "{{pick}}" }, "data", "nothing to pick from"},
		"too large":            {func(o *Options) { o.MaxBytes, o.Data = 3, "{{range 4}}x{{end}}" }, "data", "more than max_bytes, 3"},
	} {
		_, err := Adapter().Configure(adapters.Route{Vars: []string{"user"}}, func(options any) error {
			test.change(options.(*Options))
			return nil
		})
		var bad *adapters.OptionError
		if !errors.As(err, &bad) {
			t.Errorf("%s: got error %v, want an OptionError", name, err)
			continue
		}
		if bad.Path != test.path {
			t.Errorf("%s: got path %q, want %q", name, bad.Path, test.path)
		}
		if !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: got message %q, want it to say %q", name, err, test.says)
		}
	}
}
