package sse

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"sidestream/adapters"
	"sidestream/adapters/httpclient"
)

// Bounds of an explanation.
const (
	maxExplained = 20              // events
	maxListening = 5 * time.Second // for them
	maxHeader    = 200             // bytes of a header's value
)

// Explain implements [adapters.Explainer]. The events are those that come
// until the server is silent for a while, in 5 seconds at most.
func (s *source) Explain(ctx context.Context, ask bool) (x adapters.Explanation, err error) {
	s.trace = func(name, text string) { x.Steps = append(x.Steps, adapters.Step{Name: name, Text: text}) }
	defer func() { s.trace = nil }()
	s.trace("connection", s.manner())
	if !ask {
		req, err := (&run{source: s}).request(ctx)
		if err == nil {
			s.showRequest(req)
		}
		return x, err
	}
	heard := sample{unused: s.options.IDs == idsNumber}
	x.Events, err = heard.take(ctx, s)
	s.trace("events", heard.String())
	return x, err
}

// A sample is what came of listening for a short time.
type sample struct {
	events []adapters.Event
	live   bool
	gaps   int
	stale  string
	ids    int  // events with an id of the server's
	unused bool // which aren't made use of
}

var errEnough = errors.New("enough was heard")

// take listens to s for a short time. An error may come with events.
func (x *sample) take(ctx context.Context, s *source) ([]adapters.Event, error) {
	listening, cancel := context.WithTimeout(ctx, maxListening)
	defer cancel()
	defer func(before bool) { s.env.Meta = before }(s.env.Meta)
	s.env.Meta = true // for the ids
	err := s.Run(listening, "", func(e adapters.Event) error {
		switch {
		case e.Gap != nil:
			x.gaps++
		case e.Live || e.Stale != "":
			x.live, x.stale = x.live || e.Live, e.Stale
		default:
			if id, _ := e.Meta["id"].(string); id != "" {
				x.ids++
			}
			x.events = append(x.events, e)
		}
		if len(x.events) == maxExplained || e.Live && len(x.events) > 0 {
			return errEnough
		}
		return nil
	})
	heard := x.live || len(x.events) > 0
	if errors.Is(err, errEnough) || heard && ctx.Err() == nil && listening.Err() != nil {
		err = nil
	}
	return x.events, err
}

// String says in words what came.
func (x *sample) String() string {
	words := []string{fmt.Sprintf("%d within a moment", len(x.events))}
	switch {
	case len(x.events) == 0:
		words[0] = "none within a moment"
	case x.ids == 0:
		words = append(words, "without ids")
	case x.ids < len(x.events):
		words = append(words, fmt.Sprintf("%d of them with ids", x.ids))
	default:
		words = append(words, "all with ids")
	}
	if x.gaps > 0 {
		words = append(words, fmt.Sprintf("%d that can't be delivered", x.gaps))
	}
	if x.stale != "" {
		words = append(words, "the server says of itself: "+x.stale)
	}
	text := strings.Join(words, ", ")
	if x.ids > 0 && x.unused {
		text += `; if the server resumes by them (Last-Event-ID), "ids: pass" spares clients gaps`
	}
	return text
}

// manner says in words how the stream is read.
func (s *source) manner() string {
	o := s.options
	words := []string{"one for all clients"}
	switch o.IDs {
	case idsPass:
		words = append(words, "which resumes by the server's ids")
	case idsReplay:
		words = append(words, "which resumes by the server's ids, and one for each client that comes back with an id that isn't at hand")
	case idsNumber:
		words = append(words, "whose events are numbered here, so that asking anew is announced as a gap")
	}
	if o.Always {
		words = append(words, "also while nobody listens")
	} else {
		words = append(words, "while somebody listens")
	}
	idle := "for ever"
	if o.IdleTimeout > 0 {
		idle = "for " + o.IdleTimeout.String()
	}
	return strings.Join(words, ", ") + fmt.Sprintf("; may be silent %s; asked anew %s after a response has ended, or as the server says", idle, o.Retry)
}

// showRequest shows a request, without its secrets.
func (s *source) showRequest(req *http.Request) {
	if s.trace == nil {
		return
	}
	lines := []string{req.Method + " " + httpclient.DescribeURL(req.URL)}
	s.trace("request", strings.Join(append(lines, headerLines(s.client.Describe(req, s.env.Credentials), nil)...), "\n"))
}

// showAnswer shows the head of a response, as far as it says something of the
// stream. Other headers may be secrets.
func (s *source) showAnswer(resp *http.Response) {
	if s.trace == nil {
		return
	}
	lines := []string{fmt.Sprintf("%s %d %s", resp.Proto, resp.StatusCode, http.StatusText(resp.StatusCode))}
	s.trace("answer", strings.Join(append(lines, headerLines(resp.Header, []string{
		"Cache-Control", "Content-Encoding", "Content-Type", "Date", "Retry-After", "Server", "Www-Authenticate", "X-Accel-Buffering",
	})...), "\n"))
}

// headerLines returns the headers with these names, or all of them if names
// is nil, in order.
func headerLines(h http.Header, names []string) (lines []string) {
	if names == nil {
		names = slices.Sorted(maps.Keys(h))
	}
	for _, name := range names {
		for _, value := range h[name] {
			if len(value) > maxHeader {
				value = value[:maxHeader] + "…"
			}
			lines = append(lines, name+": "+strings.ToValidUTF8(value, "\uFFFD"))
		}
	}
	return lines
}
