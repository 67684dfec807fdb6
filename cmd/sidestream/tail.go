package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/cobra"
	"golang.org/x/net/http/httpguts"

	"sidestream/adapters"
	"sidestream/proxy/eventstream"
)

func newTail() *cobra.Command {
	t := tailer{retry: 3 * time.Second}
	var headers []string
	cmd := &cobra.Command{
		Use:   "tail URL",
		Short: "Print the events of a stream",
		Long: `Print the events of a stream, as a browser's EventSource receives them: after a
cut the stream is resumed by Last-Event-ID, after the time that the server's
retry field asks for. 204 ends it, and so does any other status but 200.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			u, err := url.Parse(args[0])
			if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
				return fmt.Errorf("%q is not a URL that starts with http:// or https://", args[0])
			}
			if t.header, err = parseHeaders(headers); err != nil {
				return err
			}
			t.url, t.out, t.notes = u.String(), cmd.OutOrStdout(), cmd.ErrOrStderr()
			return t.run(cmd.Context())
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&t.json, "json", false, "print each event as a line of JSON")
	flags.IntVarP(&t.count, "count", "n", 0, "stop after this many events; 0: never")
	flags.StringVar(&t.id, "since-id", "", "go on after the event with this id")
	flags.StringArrayVarP(&headers, "header", "H", nil, `header to send, as "Name: value"; may be given several times`)
	flags.DurationVar(&t.retry, "retry", t.retry, "time before a reconnect, until the server says otherwise")
	return cmd
}

func parseHeaders(lines []string) (http.Header, error) {
	h := http.Header{}
	for _, line := range lines {
		name, value, ok := strings.Cut(line, ":")
		if !ok || strings.TrimSpace(name) == "" {
			return nil, fmt.Errorf(`--header: %q is not of the form "Name: value"`, line)
		}
		h.Add(strings.TrimSpace(name), strings.TrimSpace(value))
	}
	return h, nil
}

// tailer follows one stream.
type tailer struct {
	url    string
	header http.Header
	json   bool
	count  int           // events to print; 0: any number
	id     string        // last event id
	retry  time.Duration // time before a reconnect

	out, notes io.Writer
	printed    int
}

// maxTailEvent is the largest event that tail prints, in bytes.
const maxTailEvent = 64 << 20

// maxTailID is the longest id that tail sends back, in bytes.
const maxTailID = 4 << 10

// What a server may ask for as the time before a reconnect.
const (
	minRetry = 100 * time.Millisecond
	maxRetry = time.Hour
)

// errDone says that there is nothing more to wait for.
var errDone = errors.New("done")

// run follows the stream until it has ended, enough is printed, or ctx is
// done.
func (t *tailer) run(ctx context.Context) error {
	for {
		err := t.connect(ctx)
		switch {
		case ctx.Err() != nil, errors.Is(err, errDone):
			return nil //nolint:nilerr // the user has had enough, or the stream has
		case isFatal(err):
			return err
		}
		_, _ = fmt.Fprintf(t.notes, "sidestream: %v; again in %v\n", err, t.retry)
		wait := time.NewTimer(t.retry)
		select {
		case <-wait.C:
		case <-ctx.Done():
			wait.Stop()
			return nil
		}
	}
}

// fatal is an answer after which a browser doesn't come back.
type fatal struct{ error }

func isFatal(err error) bool {
	var f fatal
	return errors.As(err, &f)
}

// connect follows one connection to its end.
func (t *tailer) connect(ctx context.Context) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, t.url, http.NoBody)
	if err != nil {
		return fatal{err}
	}
	req.Header = t.header.Clone()
	req.Header.Set("Accept", "text/event-stream")
	req.Header.Set("Cache-Control", "no-cache")
	if t.id != "" {
		req.Header.Set("Last-Event-ID", t.id)
	}
	client := http.Client{CheckRedirect: t.redirect}
	resp, err := client.Do(req)
	if err != nil {
		return adapters.Quoteless(err)
	}
	defer resp.Body.Close()
	if err := t.check(resp); err != nil {
		return err
	}
	dec := eventstream.NewDecoder(resp.Body, &eventstream.DecoderOptions{MaxEvent: maxTailEvent})
	for {
		e, err := dec.Next()
		if d, ok := dec.Retry(); ok {
			t.retry = min(max(d, minRetry), maxRetry)
		}
		// An id that no header can carry would end in no connection at all.
		if id := dec.LastEventID(); id != "" && len(id) <= maxTailID && httpguts.ValidHeaderFieldValue(id) {
			t.id = id
		}
		var tooLong *eventstream.TooLongError
		switch {
		case errors.As(err, &tooLong): // one event is lost, not the stream
			_, _ = fmt.Fprintf(t.notes, "sidestream: %v\n", err)
			continue
		case errors.Is(err, io.EOF):
			return errors.New("the connection ended")
		case err != nil:
			return err
		}
		if err := t.print(&e); err != nil {
			return fatal{err}
		}
		if t.printed++; t.printed == t.count {
			return errDone
		}
	}
}

// redirect follows redirects as browsers do. What the user sends is for the
// server that was named.
func (t *tailer) redirect(req *http.Request, via []*http.Request) error {
	if len(via) == 10 {
		return errors.New("stopped after 10 redirects")
	}
	req.Header.Del("Referer")
	if req.URL.Scheme != via[0].URL.Scheme || req.URL.Host != via[0].URL.Host {
		for name := range t.header {
			req.Header.Del(name)
		}
	}
	return nil
}

func (t *tailer) check(resp *http.Response) error {
	typ, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	switch {
	case resp.StatusCode == http.StatusNoContent:
		return errDone
	case resp.StatusCode != http.StatusOK:
		return fatal{fmt.Errorf("the server answered %s", printable(resp.Status))}
	case typ != "text/event-stream":
		return fatal{fmt.Errorf("the answer is of type %q, not text/event-stream", typ)}
	}
	return nil
}

// line is an event as --json prints it.
type line struct {
	ID   string `json:"id"`
	Type string `json:"type"`
	Data string `json:"data"`
}

func (t *tailer) print(e *eventstream.Event) error {
	if t.json {
		out, err := json.Marshal(line{e.ID, e.Type, string(e.Data)})
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(t.out, "%s\n", out)
		return err
	}
	_, err := fmt.Fprintf(t.out, "%s %s %s\n", printable(e.ID), printable(e.Type), printable(string(e.Data)))
	return err
}

// printable keeps what a server sends from steering the terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' && r != '\t' {
			return unicode.ReplacementChar
		}
		return r
	}, s)
}
