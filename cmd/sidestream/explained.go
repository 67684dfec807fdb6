package main

import (
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"text/tabwriter"

	"sidestream/proxy"
)

// explained is an explanation as text that can't steer the terminal.
func explained(e *proxy.Explanation) string {
	var p page
	request := []string{e.Request.Method + " " + e.Request.URL}
	if e.Request.Host != "" {
		request = append(request, "Host: "+e.Request.Host)
	}
	for _, name := range slices.Sorted(maps.Keys(e.Request.Headers)) {
		for _, value := range e.Request.Headers[name] {
			request = append(request, name+": "+value)
		}
	}
	p.section("request", request...)
	p.section("outcome", outcome(e)...)
	p.section("routes", routes(e.Routes)...)
	if e.Stream != nil {
		p.stream(e.Stream)
	}
	return printable(p.String())
}

func outcome(e *proxy.Explanation) []string {
	o := &e.Outcome
	place := "" // of the route that decides
	if o.Line > 0 {
		place = fmt.Sprintf(" the route in line %d, %s", o.Line, o.Route)
	}
	switch o.Kind {
	case proxy.Streamed:
		return []string{"a stream of" + place}
	case proxy.Ingested:
		return []string{"brings events to" + place}
	case proxy.Preflight:
		return []string{"a preflight, granted by" + place}
	case proxy.Passed:
		return []string{"passes through to " + o.Upstream, "since " + o.Why}
	}
	line := fmt.Sprintf("refused with %d %s", o.Status, http.StatusText(o.Status))
	if place != "" {
		line += " by" + place
	}
	return []string{line, o.Why}
}

func routes(list []proxy.ExplainedRoute) []string {
	rows := make([][]string, 0, len(list))
	for _, r := range list {
		why := r.Why
		if r.Taken {
			why = strings.TrimRight("taken "+r.Why, " ")
		}
		rows = append(rows, []string{fmt.Sprintf("line %d", r.Line), r.Route, r.Adapter, why})
	}
	return table(rows)
}

// page is a text of sections with their names on the left.
type page struct{ strings.Builder }

// indent is the width of the names.
const indent = 11

// section adds lines under a name, if there are any.
func (p *page) section(name string, lines ...string) {
	for line := range strings.SplitSeq(strings.Join(lines, "\n"), "\n") {
		if len(lines) > 0 {
			p.WriteString(strings.TrimRight(fmt.Sprintf("%-*s%s", indent, name, line), " ") + "\n")
		}
		name = ""
	}
}

func (p *page) stream(s *proxy.ExplainedStream) {
	var rows [][]string
	for _, v := range s.Variables {
		value, from := "(none)", "path"
		if v.Value != nil {
			value = fmt.Sprintf("%q", *v.Value)
		}
		if v.Query {
			from = "query"
		}
		rows = append(rows, []string{v.Name, value, "from the " + from})
	}
	p.section("variables", table(rows)...)
	p.section("shared", shared(s)...)
	p.section("pages", pages(s.Pages)...)
	runs := "while somebody listens, and " + s.Linger + " longer (linger)"
	if s.Always {
		runs = "always"
	}
	p.section("runs", runs)
	if s.After != "" {
		resumes := "after the event with the id " + s.After
		if s.Ran {
			resumes += "; below is what a new client gets"
		}
		p.section("resumes", resumes)
	}
	if s.Key != "" {
		p.section("matches", "events with the key "+s.Key)
	}
	rows = nil
	for _, x := range s.Expressions {
		for i, line := range strings.Split(strings.TrimSpace(x.Text), "\n") {
			name := x.Name
			if i > 0 {
				name = ""
			}
			rows = append(rows, []string{name, line})
		}
	}
	p.section("applies", table(rows)...)
	if !s.Explains && s.Error == "" {
		p.section("source", s.Adapter+" doesn't show what it asks of its upstream")
	}
	for i, step := range s.Steps {
		p.WriteString("\n")
		p.section(fmt.Sprintf("step %d", i+1), step.Name)
		if text := strings.TrimRight(step.Text, "\n"); text != "" {
			p.section("", text)
		}
	}
	p.events(s)
	if s.Error != "" {
		p.WriteString("\n")
		p.section("failed", s.Error)
	}
}

// shared says who gets the same stream.
func shared(s *proxy.ExplainedStream) []string {
	names := make([]string, 0, len(s.Variables))
	for _, v := range s.Variables {
		names = append(names, v.Name)
	}
	lines := []string{"by all clients of the route"}
	if len(names) > 0 {
		lines[0] += " with the same " + strings.Join(names, ", ")
	}
	for _, c := range s.Credentials {
		with := "and the same " + c.Header
		if !c.Given {
			with += ", which here is none"
		}
		lines = append(lines, with)
	}
	return lines
}

// pages says which of other origins get the stream.
func pages(x *proxy.ExplainedPages) []string {
	if x == nil {
		return nil
	}
	lines := []string{"of other origins get nothing"}
	if len(x.Origins) > 0 {
		lines = []string{"of " + strings.Join(x.Origins, ", ") + " get it too", "and may send " + strings.Join(x.Headers, ", ")}
		if x.Credentials {
			lines[1] += ", and credentials"
		}
	}
	switch {
	case x.Origin == "":
	case x.Allowed:
		lines = append(lines, "this one is of "+x.Origin)
	default:
		lines = append(lines, "this one is of "+x.Origin+", which gets nothing unless that is this server's own")
	}
	return lines
}

func (p *page) events(s *proxy.ExplainedStream) {
	if !s.Ran || s.Error != "" && len(s.Events) == 0 {
		return
	}
	p.WriteString("\n")
	if len(s.Events) == 0 {
		p.section("events", "none")
	}
	for i, e := range s.Events {
		facts := fmt.Sprintf("%s, %d bytes", cmp.Or(e.Type, "message"), e.Size)
		switch {
		case e.ID != "":
			facts += ", id " + e.ID
		case e.Dropped == "":
			facts += ", numbered by the stream"
		}
		p.section(fmt.Sprintf("event %d", i+1), facts)
		text := strings.TrimRight(e.Block, "\n")
		if e.Dropped != "" {
			p.section("", e.Dropped+"")
			text = e.Data
		}
		if e.Clipped {
			text += "…"
		}
		if text != "" {
			p.section("", text)
		}
	}
	if s.More > 0 {
		p.section("", fmt.Sprintf("and %d more", s.More))
	}
}

// table aligns columns.
func table(rows [][]string) []string {
	if len(rows) == 0 {
		return nil
	}
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		_, _ = fmt.Fprintln(w, strings.Join(row, "\t"))
	}
	_ = w.Flush() // a Builder takes everything
	return strings.Split(strings.TrimRight(b.String(), "\n"), "\n")
}
