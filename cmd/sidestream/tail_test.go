package main

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// script answers each connection with the next of its answers and notes what
// the clients ask for.
type script struct {
	answers []http.HandlerFunc
	ids     []string
	headers []http.Header
}

func (s *script) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.ids = append(s.ids, r.Header.Get("Last-Event-ID"))
	s.headers = append(s.headers, r.Header)
	if len(s.ids) > len(s.answers) {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	s.answers[len(s.ids)-1](w, r)
}

func stream(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
		fmt.Fprint(w, text)
	}
}

func runTail(t *testing.T, s *script, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	server := httptest.NewServer(s)
	defer http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	defer server.Close()
	root := newRoot()
	var out, notes bytes.Buffer
	root.SetOut(&out)
	root.SetErr(&notes)
	root.SetArgs(append([]string{"tail", server.URL}, args...))
	err = root.ExecuteContext(t.Context())
	return out.String(), notes.String(), err
}

func TestTailResumes(t *testing.T) {
	s := &script{answers: []http.HandlerFunc{
		stream("retry: 1\n\nid: 1\ndata: a\n\nid: 2\nevent: t\ndata: b\ndata: c\n\ndata: cut off"),
		stream("data: no id\n\nid: 3\ndata: \x1b[31md\n\n"),
	}}
	out, notes, err := runTail(t, s, "--since-id", "0", "-H", "X-Team: a", "--header", "x-team: b")
	if err != nil {
		t.Fatal(err)
	}
	if want := "1 message a\n2 t b\nc\n message no id\n3 message \ufffd[31md\n"; out != want {
		t.Errorf("got %q, want %q", out, want)
	}
	if got, want := strings.Join(s.ids, " "), "0 2 3"; got != want {
		t.Errorf("Last-Event-ID of each connection: got %q, want %q", got, want)
	}
	if got := strings.Count(notes, "again in 100ms"); got != 2 {
		t.Errorf("got notes %q, want two reconnects after the server's retry", notes)
	}
	if got := strings.Join(s.headers[0].Values("X-Team"), " "); got != "a b" {
		t.Errorf("header: got %q, want both", got)
	}
	if got := s.headers[0].Get("Accept"); got != "text/event-stream" {
		t.Errorf("Accept: got %q", got)
	}
}

func TestTailCountAndJSON(t *testing.T) {
	s := &script{answers: []http.HandlerFunc{stream("id: 1\ndata: a\n\nid: 2\ndata: {\"x\":\"\\n\"}\ndata: c\n\nid: 3\ndata: d\n\n")}}
	out, _, err := runTail(t, s, "--json", "--count", "2")
	if err != nil {
		t.Fatal(err)
	}
	want := `{"id":"1","type":"message","data":"a"}` + "\n" + `{"id":"2","type":"message","data":"{\"x\":\"\\n\"}\nc"}` + "\n"
	if out != want {
		t.Errorf("got %s, want %s", out, want)
	}
}

func TestTailFollowsRedirects(t *testing.T) { // R5
	for _, status := range []int{http.StatusMovedPermanently, http.StatusTemporaryRedirect} {
		s := &script{answers: []http.HandlerFunc{
			func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", status) },
			stream("id: 1\ndata: a\n\n"),
		}}
		out, _, err := runTail(t, s, "--retry", "1ms", "--since-id", "0", "-H", "X-Team: a")
		if err != nil || out != "1 message a\n" {
			t.Errorf("%d: got %q, error %v", status, out, err)
		}
		if got, want := strings.Join(s.ids, " "), "0 0 1"; got != want {
			t.Errorf("%d: Last-Event-ID of each request: got %q, want %q", status, got, want)
		}
	}
}

// What a hostile server sends neither steers the terminal nor the client.
func TestTailAgainstHostileServer(t *testing.T) {
	s := &script{answers: []http.HandlerFunc{
		stream("retry: 0\nid: a\x01\ndata: x\n\nid: " + strings.Repeat("y", 5000) + "\ndata: z\n\n"),
		stream("retry: 99999999999999999999\ndata: last\n\n"),
	}}
	_, notes, err := runTail(t, s, "--since-id", "ok", "--count", "3")
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(s.ids, " "); got != "ok ok" {
		t.Errorf("Last-Event-ID of each connection: got %q, want the one that can be sent", got)
	}
	if !strings.Contains(notes, "again in 100ms") {
		t.Errorf("got notes %q, want a wait of no less than 100ms", notes)
	}
	elsewhere := &script{answers: []http.HandlerFunc{stream("data: x\n\n")}}
	other := httptest.NewServer(elsewhere)
	defer other.Close()
	s = &script{answers: []http.HandlerFunc{func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, other.URL, http.StatusFound) }}}
	if _, _, err := runTail(t, s, "-H", "X-Api-Key: hunter2", "--count", "1"); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"X-Api-Key", "Referer"} {
		if got := elsewhere.headers[0].Get(name); got != "" {
			t.Errorf("another server was sent %s: %s", name, got)
		}
	}
}

func TestTailGivesUp(t *testing.T) {
	for _, tt := range []struct {
		answer http.HandlerFunc
		want   string
	}{
		{http.NotFound, "the server answered 404 Not Found"},
		{func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "{}") }, `the answer is of type "text/plain", not text/event-stream`},
	} {
		_, _, err := runTail(t, &script{answers: []http.HandlerFunc{tt.answer}})
		if err == nil || err.Error() != tt.want {
			t.Errorf("got error %v, want %q", err, tt.want)
		}
	}
	if out, _, err := runTail(t, &script{}); out != "" || err != nil { // R5
		t.Errorf("204: got %q, error %v; want a quiet end", out, err)
	}
	for _, args := range [][]string{{"tail", "nonsense"}, {"tail", "ftp://x"}, {"tail", "http://x", "-H", "nonsense"}, {"tail"}} {
		root := newRoot()
		root.SetArgs(args)
		if err := root.ExecuteContext(t.Context()); err == nil {
			t.Errorf("%q: got no error", args)
		}
	}
}

func TestFlagsFromEnvironment(t *testing.T) {
	cmd := newServe()
	if err := cmd.ParseFlags([]string{"--admin", "cli"}); err != nil {
		t.Fatal(err)
	}
	env := map[string]string{"SIDESTREAM_LISTEN": "a:1,b:2", "SIDESTREAM_ADMIN": "env", "SIDESTREAM_LOG_LEVEL": "debug", "SIDESTREAM_HELP": "x"}
	lookup := func(name string) (string, bool) {
		v, ok := env[name]
		return v, ok
	}
	if err := flagsFromEnv(cmd.Flags(), lookup); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"listen": "[a:1,b:2]", "admin": "cli", "log-level": "debug", "config": "routes.yaml"} {
		if got := cmd.Flags().Lookup(name).Value.String(); got != want {
			t.Errorf("--%s: got %s, want %s", name, got, want)
		}
	}
	tail := newTail()
	env = map[string]string{"SIDESTREAM_COUNT": "many"}
	if err := flagsFromEnv(tail.Flags(), lookup); err == nil || !strings.Contains(err.Error(), "SIDESTREAM_COUNT") {
		t.Errorf("got error %v, want one that names the variable", err)
	}
}

func TestLogFlags(t *testing.T) {
	for _, args := range [][]string{{"--log-level", "loud"}, {"--log-format", "xml"}} {
		root := newRoot()
		root.SetArgs(append([]string{"serve"}, args...))
		if err := root.ExecuteContext(t.Context()); err == nil || !strings.Contains(err.Error(), args[0]) {
			t.Errorf("%q: got error %v, want one that names the flag", args, err)
		}
	}
}
