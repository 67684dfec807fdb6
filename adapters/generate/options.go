package generate

import (
	"fmt"
	"slices"
	"time"

	"sidestream/adapters"
)

// Options are what a route may configure under its key "generate".
type Options struct {
	// Every is the interval between two events, at most a year. With 0, one
	// follows the other as fast as they are taken. The default is 1s.
	Every adapters.Duration `yaml:"every"`

	// Jitter makes each interval Every, plus or minus a random part of up to
	// Jitter × Every. From 0, the default, to 1.
	Jitter adapters.Fraction `yaml:"jitter"`

	// First says when the first event is due. The default is at_once.
	First First `yaml:"first"`

	// Type and Data make up the one kind of event that there is if Events
	// are empty; they are as in an element of Events.
	Type string `yaml:"type"`
	Data string `yaml:"data"`

	// Events are the kinds of event, in place of Type and Data. Without
	// either, events are JSON objects with their number and time.
	Events []Event `yaml:"events"`

	// Choose says which of Events is next. The default is random.
	Choose Choose `yaml:"choose"`

	// Count is the number of events after which a source has ended for good.
	// 0 means never.
	Count int `yaml:"count"`

	// Seed makes what is random in the choice and in the data of events,
	// though not their times, the same for each source that is opened. 0
	// means another seed for each.
	Seed uint64 `yaml:"seed"`

	// MaxBytes is the largest payload, at most 1GiB. The default is 1MiB.
	MaxBytes adapters.Size `yaml:"max_bytes"`
}

// An Event is a kind of event.
type Event struct {
	// Weight is how often the event is chosen in relation to others, from 1,
	// the default, to a million.
	Weight *int `yaml:"weight"`

	// Type is the type of the event. Empty means the default, "message".
	Type string `yaml:"type"`

	// Data is a template (see text/template) of the payload, which may have
	// several lines. It has
	//
	//   - .N, the number of the event, from 1;
	//   - .Time, a [time.Time], when it was made;
	//   - .Vars, the route's variables by name, empty where the request has
	//     none;
	//
	// and besides the functions that every template has
	//
	//   - random lo hi: an integer from lo to hi, both included;
	//   - pick a b c…: one of its arguments;
	//   - json v: v as JSON.
	//
	// Variables come from the client: a payload that is JSON should take
	// them as {{json .Vars.name}}.
	Data string `yaml:"data"`
}

// First says when the first event is due.
type First string

const (
	atOnce        First = "at_once"        // when the source is opened
	afterInterval First = "after_interval" // an interval later
)

// Values implements [adapters.Choice].
func (First) Values() []string { return []string{string(atOnce), string(afterInterval)} }

// Choose says which kind of event is next.
type Choose string

const (
	chooseRandom Choose = "random" // by their weights
	chooseCycle  Choose = "cycle"  // in order, and then from the first again
)

// Values implements [adapters.Choice].
func (Choose) Values() []string { return []string{string(chooseRandom), string(chooseCycle)} }

const (
	defaultData = `{"n":{{.N}},"time":{{json .Time}}}`
	maxEvery    = 365 * 24 * time.Hour
	maxWeight   = 1_000_000
	maxMaxBytes = 1 << 30
)

func defaults() Options {
	return Options{
		Every:    adapters.Duration(time.Second),
		First:    atOnce,
		Choose:   chooseRandom,
		MaxBytes: 1 << 20,
	}
}

// check returns an [adapters.OptionError] for each option whose value can't
// be used, joined. Templates are left to [parse].
func (o Options) check() error {
	var c adapters.OptionErrors
	c.Refuse(time.Duration(o.Every) > maxEvery, "every", "%s is too long; events are at most %s apart", o.Every, maxEvery)
	c.Fraction("jitter", float64(o.Jitter))
	c.Refuse(o.Jitter > 0 && o.Every == 0, "jitter", "%v has no effect without an interval; set every above 0, or leave jitter out", o.Jitter)
	c.OneOf("first", string(o.First), o.First.Values()...)
	c.OneOf("choose", string(o.Choose), o.Choose.Values()...)
	c.Refuse(o.Count < 0, "count", "%d is negative; it is a number of events, or 0 for no end", o.Count)
	c.Refuse(o.MaxBytes < 1 || o.MaxBytes > maxMaxBytes, "max_bytes", "%s is out of bounds; it is from 1 to %s", o.MaxBytes, adapters.Size(maxMaxBytes))
	c.Refuse(len(o.Events) > 0 && (o.Type != "" || o.Data != ""), "events", "type and data stand beside it; move them into an element of events")
	c.Type("type", o.Type)
	for i, e := range o.Events {
		path := fmt.Sprintf("events[%d]", i)
		c.Type(path+".type", e.Type)
		if e.Weight == nil {
			continue
		}
		c.Refuse(*e.Weight < 1 || *e.Weight > maxWeight, path+".weight", "%d is out of bounds; it is from 1 to %d", *e.Weight, maxWeight)
		c.Refuse(o.Choose == chooseCycle, path+".weight", "a weight has no effect with choose: %s; leave it out, or choose: %s", chooseCycle, chooseRandom)
	}
	return c.Err()
}

// events returns the kinds of event that o describes, and where each stands.
func (o Options) events() (kinds []Event, paths []string) {
	switch {
	case len(o.Events) > 0:
		for i := range o.Events {
			paths = append(paths, fmt.Sprintf("events[%d].data", i))
		}
		return slices.Clone(o.Events), paths
	case o.Type == "" && o.Data == "":
		return []Event{{Data: defaultData}}, []string{"data"}
	default:
		return []Event{{Type: o.Type, Data: o.Data}}, []string{"data"}
	}
}
