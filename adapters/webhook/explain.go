package webhook

import (
	"context"
	"fmt"
	"strings"

	"sidestream/adapters"
)

// Explain implements [adapters.Explainer]. There is nothing to ask: what events
// there will be is for others to say.
func (s *source) Explain(context.Context, bool) (adapters.Explanation, error) {
	o := s.factory.options
	return adapters.Explanation{Steps: []adapters.Step{
		{Name: "ingest", Text: s.factory.describe()},
		{Name: "read", Text: o.describeBody()},
		{Name: "deliver", Text: fmt.Sprintf("%s\n%d events may wait; what comes then is answered 429\nwhat is not taken within %s is answered 503", o.Dedupe.describe(), o.Pending.Events, o.AcceptTimeout)},
	}}, nil
}

// describe says where events come in.
func (f *factory) describe() string {
	o := f.options
	text := strings.Join(f.methods, ", ") + " " + o.Ingest
	switch {
	case o.Listen.Address == "":
		text += ", where clients come in too"
	case !o.Listen.TLS.Enabled():
		text += ", at " + o.Listen.Address
	default:
		text += ", at " + o.Listen.Address + ", TLS " + string(o.Listen.TLS.MinVersion) + " or later"
	}
	if o.Listen.TLS.ClientCA != "" {
		text += ", for clients with a certificate of " + o.Listen.TLS.ClientCA
	}
	return text + "\nnothing is fetched: events come when they are sent"
}

// describeBody says what is made of bodies.
func (o *Options) describeBody() string {
	text := fmt.Sprintf("bodies of up to %s, within %s, as %s", o.MaxBody, o.Timeout, o.Format)
	if len(o.ContentTypes) > 0 {
		text += "\nof the types " + strings.Join(o.ContentTypes, ", ")
	}
	switch o.CloudEvents.Mode {
	case modeAuto:
		text += "\nCloudEvents are recognised"
	case modeRequire:
		text += "\nonly CloudEvents are taken"
	case modeOff:
	}
	return text
}

func (d *Dedupe) describe() string {
	if d.Window == 0 {
		return "an event that is sent again is delivered again"
	}
	return fmt.Sprintf("an event that is sent again within %s is not delivered again (%d are remembered)", d.Window, d.Entries)
}
