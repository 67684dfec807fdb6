package poll

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"sidestream/adapters"
	"sidestream/adapters/httpclient"
	"sidestream/adapters/poll/payload"
)

// maxShown is how many bytes of a text an explanation shows.
const maxShown = 2 << 10

// Explain implements [adapters.Explainer].
func (s *stateSource) Explain(ctx context.Context, run bool) (adapters.Explanation, error) {
	return s.explain(ctx, run, func(found *finding) ([]adapters.Event, error) {
		next, err := s.newContent(ctx, found)
		if err != nil {
			return nil, err
		}
		events, _ := s.events(next, "")
		s.showText("then", s.then())
		return events, nil
	})
}

// Explain implements [adapters.Explainer].
func (s *listSource) Explain(ctx context.Context, run bool) (adapters.Explanation, error) {
	return s.explain(ctx, run, func(found *finding) ([]adapters.Event, error) {
		items, err := s.list(ctx, found)
		if err != nil {
			return nil, err
		}
		events := make([]adapters.Event, len(items))
		for i, it := range items {
			at := place{cursor: s.target.cursor, mark: it.mark}
			events[i] = adapters.Event{Position: at.position(), Type: it.typ, Data: it.data}
		}
		if s.options.Items.Start == startLive {
			s.showText("start", "live: a new client gets none of the items that are there, but those that will be added")
			events = nil
		}
		return events, nil
	})
}

// explain shows what a poll asks and, if run is set, what comes of it, as
// events makes them of what was found.
func (p *poller) explain(ctx context.Context, run bool, events func(*finding) ([]adapters.Event, error)) (x adapters.Explanation, err error) {
	p.trace = func(name, text string) { x.Steps = append(x.Steps, adapters.Step{Name: name, Text: text}) }
	defer func() { p.trace = nil }()
	p.trace("pace", p.pace())
	q := question{cursor: p.target.cursor}
	if !run {
		s := newScope(p.vars)
		s.cursor = q.cursor
		req, err := p.request(ctx, &s)
		if err == nil {
			p.show("request", req)
		}
		return x, err
	}
	found, err := p.ask(ctx, q)
	if err == nil && found.same {
		p.trace("document", "no news: everything stays as it is")
	} else if err == nil && !found.nothing {
		x.Events, err = events(&found)
	}
	if due, why := p.schedule.Due(); !due.IsZero() {
		p.trace("next poll", fmt.Sprintf("in %s (%s)", time.Until(due).Round(10*time.Millisecond), why))
	}
	if err != nil {
		err = p.failed(err)
	}
	return x, err
}

// then says in words what follows the first state.
func (s *stateSource) then() string {
	o := s.options
	var b strings.Builder
	switch o.Emit {
	case emitPatch:
		b.WriteString("a change is sent as a JSON Patch")
	case emitMerge:
		b.WriteString("a change is sent as a JSON Merge Patch, unless a member becomes null")
	case emitItems:
		b.WriteString("a change is sent as one event for each item")
	default:
		b.WriteString("a change is sent as the whole document")
	}
	if o.Emit != emitSnapshot && o.Emit != emitRaw {
		fmt.Fprintf(&b, ", or as a snapshot if it would be larger than %g of that", float64(o.MaxPatch))
	}
	for _, pointer := range slices.Sorted(maps.Keys(o.ArrayKeys)) {
		fmt.Fprintf(&b, "\n%s is compared by %s", pointer, o.ArrayKeys[pointer])
	}
	if len(o.Ignore) > 0 {
		b.WriteString("\nno change: " + strings.Join(o.Ignore, ", "))
	}
	return b.String()
}

// pace says in words when polls are made.
func (p *poller) pace() string {
	o := p.options
	words := []string{"every " + o.Every.String()}
	if o.Jitter > 0 {
		words = append(words, fmt.Sprintf("give or take %g %%", 100*o.Jitter))
	}
	if o.LongPoll {
		words = append(words, "and at once after news (long_poll)")
	}
	if o.Always {
		words = append(words, "also while nobody listens")
	} else {
		words = append(words, "while somebody listens")
	}
	budget := fmt.Sprintf("at most %d requests to %s in flight", o.Budget.InFlight, p.target.origin())
	if o.Budget.Rate > 0 {
		budget += fmt.Sprintf(" and %g a second", o.Budget.Rate)
	}
	return strings.Join(words, ", ") + "; " + budget
}

// show shows a request, without its secrets.
func (p *poller) show(name string, req *http.Request) {
	if p.trace == nil {
		return
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s\n", req.Method, httpclient.DescribeURL(req.URL))
	header := p.client.Describe(req, p.env.Credentials)
	for _, key := range sortedKeys(header) {
		for _, value := range header[key] {
			fmt.Fprintf(&b, "%s: %s\n", key, value)
		}
	}
	if req.GetBody != nil {
		if body, err := req.GetBody(); err == nil {
			text, _ := io.ReadAll(body)
			b.WriteString("\n" + clip(string(text)))
		}
	}
	p.trace(name, strings.TrimSuffix(b.String(), "\n"))
}

// showAnswer shows the head of an answer.
func (p *poller) showAnswer(a *answer) {
	if p.trace == nil || a.status == 0 {
		return
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%d %s, %d bytes of body\n", a.status, http.StatusText(a.status), len(a.body))
	for _, key := range sortedKeys(a.header) {
		if slices.ContainsFunc(telling(), func(part string) bool { return strings.Contains(key, part) }) {
			fmt.Fprintf(&b, "%s: %s\n", key, clip(strings.Join(a.header[key], ", ")))
		}
	}
	p.trace("answer", strings.TrimSuffix(b.String(), "\n"))
}

// telling are parts of the names of headers by which an answer is read and a
// poll is paced. Others may be secrets.
func telling() []string {
	return []string{
		"Age", "Cache-Control", "Content-", "Date", "Etag", "Expires", "Last-Modified", "Limit", "Link", "Location",
		"Poll-Interval", "Retry-After", "Www-Authenticate",
	}
}

func (p *poller) showDocument(d payload.Document) {
	if p.trace == nil {
		return
	}
	kind := "text or bytes"
	if d.JSON {
		kind = "JSON"
	}
	p.trace("document", fmt.Sprintf("%s, %d bytes\n%s", kind, len(d.Data), clip(string(d.Data))))
}

func (p *poller) showText(name, text string) {
	if p.trace != nil {
		p.trace(name, clip(text))
	}
}

// clip shortens text, and replaces what isn't text.
func clip(text string) string {
	if len(text) > maxShown {
		cut := maxShown
		for cut > 0 && !utf8.RuneStart(text[cut]) {
			cut--
		}
		text = fmt.Sprintf("%s… (%d bytes more)", text[:cut], len(text)-cut)
	}
	return strings.ToValidUTF8(text, "\uFFFD")
}

func sortedKeys(h http.Header) []string {
	keys := make([]string, 0, len(h))
	for key := range h {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}
