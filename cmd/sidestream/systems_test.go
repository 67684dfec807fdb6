package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"sidestream/proxy"
	"sidestream/proxy/eventstream"
)

// serveReference serves the reference table on a port of its own, and returns
// its URL.
func serveReference(t *testing.T) string {
	t.Helper()
	config, err := validate(reference)
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir()) // where histories are kept
	config.Drain.Window = 0
	if err := config.ListenAt([]string{"127.0.0.1:0"}, "off"); err != nil {
		t.Fatal(err)
	}
	listeners, err := proxy.Listen(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error)
	go func() { ended <- proxy.New(config, proxy.Settings{Log: zerolog.Nop()}).Run(ctx, listeners) }() //nolint:contextcheck // streams end with the server
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("serving: %v", err)
		}
	})
	return "http://" + listeners.Public[0].Addr().String()
}

// X3, in virtual time: 30 events of four types, then the end, and 204 for who
// comes back.
func TestReferenceDemo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		config, err := validate(reference)
		if err != nil {
			t.Fatal(err)
		}
		server := proxy.New(config, proxy.Settings{Log: zerolog.Nop()})
		request := func(id string) *httptest.ResponseRecorder {
			rec := httptest.NewRecorder()
			req := httptest.NewRequest(http.MethodGet, "/events/demo", http.NoBody)
			req.Header.Set("Accept", "text/event-stream")
			req.Header.Set("Last-Event-ID", id)
			server.ServeHTTP(rec, req) // until the stream has ended
			return rec
		}
		dec := eventstream.NewDecoder(request("").Body, nil)
		types, last := map[string]int{}, eventstream.Event{}
		for {
			e, err := dec.Next()
			if err != nil {
				break
			}
			types[e.Type]++
			last = e
		}
		sum := types["coinToss"] + types["dieRoll"] + types["catFact"] + types["meme"]
		if sum != 30 || len(types) != 5 || last.Type != "stream.end" || last.ID != "-1" {
			t.Errorf("got %v, last of id %q; want 30 events of four types, and the end", types, last.ID)
		}
		if got := request(last.ID).Code; got != http.StatusNoContent {
			t.Errorf("with the last id: got status %d, want 204", got)
		}
	})
}

// listen asks for a stream as a client that has the event with this id.
func listen(t *testing.T, url, id string) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", "text/event-stream")
	if id != "" {
		req.Header.Set("Last-Event-ID", id)
	}
	transport := &http.Transport{DisableKeepAlives: true}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	return resp
}

// events returns up to n events of a stream, each as "id type data"; fewer if
// the stream ends before.
func events(t *testing.T, url, id string, n int) (list []string) {
	t.Helper()
	resp := listen(t, url, id)
	defer resp.Body.Close()
	dec := eventstream.NewDecoder(resp.Body, nil)
	for len(list) < n {
		e, err := dec.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, fmt.Sprintf("%s %s %q", e.ID, e.Type, e.Data))
	}
	return list
}

// firstLines returns the beginning of a stream, byte for byte.
func firstLines(t *testing.T, url string, n int) string {
	t.Helper()
	resp := listen(t, url, "")
	defer resp.Body.Close()
	var b strings.Builder
	for r := bufio.NewReader(resp.Body); n > 0; n-- {
		line, err := r.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		b.WriteString(line)
	}
	return b.String()
}

// TestReferenceSystems runs the routes of the reference table that need
// nothing behind them.
func TestReferenceSystems(t *testing.T) {
	url := serveReference(t)
	expect := func(t *testing.T, got []string, want ...string) {
		t.Helper()
		if strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Errorf("got %v, want %v", got, want)
		}
	}
	t.Run("X1 clock", func(t *testing.T) {
		t.Parallel()
		got := events(t, url+"/events/clock", "", 3)
		var times []time.Time
		for _, e := range got {
			_, text, _ := strings.Cut(e, " message ")
			at, err := time.Parse(`"15:04:05"`, text)
			if err != nil {
				t.Errorf("got %q, want a time of day", e)
			}
			times = append(times, at)
		}
		// Two ticks can fall into one second, three can't.
		if times[0].Equal(times[2]) {
			t.Errorf("got %v, want the time to pass", got)
		}
	})
	t.Run("X1 ping", func(t *testing.T) {
		t.Parallel()
		got := events(t, url+"/events/ping", "", 1)[0]
		_, quoted, _ := strings.Cut(got, " ping ")
		data, _ := strconv.Unquote(quoted)
		var ping struct{ Time time.Time }
		if err := json.Unmarshal([]byte(data), &ping); err != nil {
			t.Fatalf("got %s, want a ping with JSON", got)
		}
		if age := time.Since(ping.Time); age < 0 || age > time.Minute {
			t.Errorf("got time %v, want now", ping.Time)
		}
	})
	t.Run("X2 types", func(t *testing.T) {
		t.Parallel()
		var got []string
		for _, e := range events(t, url+"/events/room", "", 5) {
			got = append(got, strings.Fields(e)[1])
		}
		expect(t, got, "join", "userconnect", "stockUpdate", "message", "leave")
	})
	t.Run("X4 ticker", func(t *testing.T) {
		t.Parallel()
		got := firstLines(t, url+"/events/stocks", 5)
		want := "retry: 5000\nid: 99\nevent: stockTicker\ndata: QCOM 64.31\n\n"
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	})
	t.Run("X5 resume", func(t *testing.T) {
		t.Parallel()
		all := []string{
			`1 message "first message"`,
			`2 message "second message"`,
			`3 message "third message,\nof two lines"`,
			`-1 stream.end "{}"`,
		}
		for i, id := range []string{"", "1", "2", "3"} {
			expect(t, events(t, url+"/events/lines", id, 10), all[i:]...)
		}
		if got := listen(t, url+"/events/lines", "-1").StatusCode; got != http.StatusNoContent {
			t.Errorf("after the end: got status %d, want 204 (R7)", got)
		}
	})
	t.Run("X6 retry", func(t *testing.T) {
		t.Parallel()
		if got, want := firstLines(t, url+"/events/patient", 1), "retry: 10000\n"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}
