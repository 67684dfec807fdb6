package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sidestream/adapters"
	"sidestream/proxy"
)

const explainTable = "testdata/explain/routes.yaml"

// explainRun runs explain with args and returns what it prints.
func explainRun(t *testing.T, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	t.Setenv("SIDESTREAM_TEST_SECRET_NUMBER", "1")
	root := newRoot()
	var out, errs bytes.Buffer
	root.SetOut(&out)
	root.SetErr(&errs)
	root.SetArgs(append([]string{"explain"}, args...))
	err = root.ExecuteContext(t.Context())
	return out.String(), errs.String(), err
}

// TestExplain holds the explanations of requests to the texts in
// testdata/explain.
func TestExplain(t *testing.T) {
	for name, tt := range map[string]struct {
		args   string
		failed bool
	}{
		"stream":         {args: "/events/a?user=x"},
		"run":            {args: "--run /events/a"},
		"run-plain":      {args: "--run --max-bytes 16 http://localhost/events/plain#part"},
		"host":           {args: "-H Host:Intern.Example:8080 /events/a"},
		"resumes":        {args: "-H Last-Event-ID:abc /events/plain"},
		"masked":         {args: "-H Authorization:secret -H Cookie:secret -H X-Token:secret /events/plain"},
		"passes":         {args: "-H Accept:application/json /api/orders"},
		"no-route":       {args: "DELETE /api/orders/7"},
		"query-unknown":  {args: "/api/orders?page=2", failed: true},
		"bad-variable":   {args: "/events/%00", failed: true},
		"already-at-end": {args: "/events/plain?lastEventId=-1", failed: true},
		"kafka":          {args: "-c testdata/explain/kafka.yaml /events/ann"},
		"ingest":         {args: "-c testdata/explain/webhook.yaml POST /hooks/acme"},
		"durable":        {args: "-c testdata/explain/durable.yaml /api/orders"},
		"sse":            {args: "-c testdata/explain/sse.yaml /events/news"},
		"cors":           {args: "-c testdata/explain/cors.yaml -H Origin:https://app.example.com /events/clock"},
		"cors-other":     {args: "-c testdata/explain/cors.yaml -H Origin:https://evil.example.com /events/clock"},
		"cors-none":      {args: "-c testdata/explain/cors.yaml -H Origin:https://app.example.com /events/own"},
		"preflight":      {args: "-c testdata/explain/cors.yaml -H Origin:https://app.example.com -H Access-Control-Request-Method:GET -H Access-Control-Request-Headers:authorization,x-tenant OPTIONS /events/clock"},
		"preflight-other": {
			args:   "-c testdata/explain/cors.yaml -H Origin:https://app.example.com -H Access-Control-Request-Method:GET -H Access-Control-Request-Headers:x-other OPTIONS /events/clock",
			failed: true,
		},
		"kafka-key": {args: "-c testdata/explain/kafka.yaml /accounts/7"},
	} {
		t.Run(name, func(t *testing.T) {
			got, _, err := explainRun(t, append([]string{"-c", explainTable}, strings.Fields(tt.args)...)...)
			if failed := errors.Is(err, errReported); failed != tt.failed || err != nil && !failed {
				t.Errorf("got error %v, want a failure %v", err, tt.failed)
			}
			if strings.Contains(strings.ReplaceAll(got, "(secret)", ""), "secret") {
				t.Error("a secret is shown")
			}
			golden := filepath.Join("testdata/explain", name+".txt")
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

// TestExplained: the text of what generate has nothing to say of.
func TestExplained(t *testing.T) {
	got := explained(&proxy.Explanation{
		Request: proxy.ExplainedRequest{Method: "GET", URL: "/a"},
		Outcome: proxy.Outcome{Kind: proxy.Streamed, Line: 7, Route: "/a"},
		Stream: &proxy.ExplainedStream{
			Credentials: []proxy.Credential{{Header: "Authorization", Given: true}, {Header: "Cookie"}},
			Always:      true, Explains: true, Ran: true, After: "p1",
			Steps:  []adapters.Step{{Name: "request", Text: "GET /x\nAccept: */*\n"}, {Name: "answer", Text: "\x1b[2J"}},
			Events: []proxy.ExplainedEvent{{ID: "p2", Size: 9, Block: "id: p2\ndata: 12", Clipped: true}},
			More:   3,
			Error:  "connection reset",
		},
	})
	want := `request    GET /a
outcome    a stream of the route in line 7, /a
shared     by all clients of the route
           and the same Authorization
           and the same Cookie, which here is none
runs       always
resumes    after the event with the id p1; below is what a new client gets

step 1     request
           GET /x
           Accept: */*

step 2     answer
           �[2J

event 1    message, 9 bytes, id p2
           id: p2
           data: 12…
           and 3 more

failed     connection reset
`
	if want = strings.ReplaceAll(want, `\ufffd`, "\ufffd"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// TestExplainJSON: --json holds all that the text does.
func TestExplainJSON(t *testing.T) {
	out, _, err := explainRun(t, "-c", explainTable, "--json", "--run", "/events/a?user=x")
	if err != nil {
		t.Fatal(err)
	}
	var e proxy.Explanation
	d := json.NewDecoder(strings.NewReader(out))
	d.DisallowUnknownFields()
	if err := d.Decode(&e); err != nil {
		t.Fatalf("%v in\n%s", err, out)
	}
	if e.Outcome != (proxy.Outcome{Kind: proxy.Streamed, Line: 10, Route: "/events/{topic}"}) {
		t.Errorf("got outcome %+v, want the stream of line 10", e.Outcome)
	}
	if len(e.Routes) != 5 || !e.Routes[1].Taken || e.Routes[0].Why == "" {
		t.Errorf("got routes %+v, want five, of which the second is taken", e.Routes)
	}
	if len(e.Stream.Events) != 4 || e.Stream.Events[0].Dropped == "" || e.Stream.Events[1].Block != "event: order\ndata: {\"n\":2,\"topic\":\"a\"}\n\n" {
		t.Errorf("got events %+v, want four of which the first is dropped", e.Stream.Events)
	}
	// Lists are lists also if they are empty.
	out, _, err = explainRun(t, "-c", explainTable, "--json", "/events/plain")
	if err != nil || strings.Contains(out, "null") {
		t.Errorf("got %v and\n%s\nwant no null", err, out)
	}
}

// TestExplainBadTable: errors of the table are reported as validate does.
func TestExplainBadTable(t *testing.T) {
	const table = "testdata/bad/unknown-keys.yaml"
	want, err := os.ReadFile("testdata/bad/unknown-keys.txt")
	if err != nil {
		t.Fatal(err)
	}
	out, errs, err := explainRun(t, "-c", table, "/")
	if got := strings.ReplaceAll(errs, "testdata/bad/", ""); !errors.Is(err, errReported) || out != "" || got != string(want) {
		t.Errorf("got %v, %q and\n%s\nwant a failure and\n%s", err, out, got, want)
	}
	out, _, err = explainRun(t, "-c", table, "--json", "/")
	var v validation
	if json.Unmarshal([]byte(out), &v) != nil || !errors.Is(err, errReported) || v.Valid || len(v.Errors) == 0 {
		t.Errorf("got %v and\n%s\nwant a failure and the table's errors", err, out)
	}
}

func TestExplainBadArguments(t *testing.T) {
	for _, args := range [][]string{
		{"events"}, {""}, {"http://"}, {"ftp://h/x"}, {"http:x"}, {"http://user:secret@h/"}, {"/%zz"}, {"\x00"},
		{"G T", "/"}, {"/events", "GET"}, {}, {"GET", "/", "x"}, {"-H", "nonsense", "/"}, {"-c", "absent.yaml", "/"},
	} {
		out, _, err := explainRun(t, append([]string{"-c", explainTable}, args...)...)
		if err == nil || errors.Is(err, errReported) || out != "" || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: got error %v and output %q, want an error alone", args, err, out)
		}
	}
}

// TestExplainHidesReferences: what a table has by reference is not shown,
// wherever it ends up in the request to the upstream.
func TestExplainHidesReferences(t *testing.T) {
	t.Setenv("APPID", "hunter2 more")
	t.Setenv("HOST_URL", "http://127.0.0.1:4711")
	table := filepath.Join(t.TempDir(), "routes.yaml")
	err := os.WriteFile(table, []byte(`
upstream: ${HOST_URL}
routes:
  - path: /weather
    poll:
      url: /v1/${APPID}/now?appid=${APPID}
      method: POST
      query: {pin: "${APPID}"}
      headers: {X-Key: "${APPID}", User-Agent: "${APPID}"}
      body: '{password: "${APPID}"}'
`), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	got, _, err := explainRun(t, "-c", table, "/weather")
	if err != nil || !strings.Contains(got, "POST http://127.0.0.1:4711/v1/(secret)/now?appid=(secret)&pin=(secret)") {
		t.Errorf("got %s, %v, want the request without what is referred to", got, err)
	}
	if strings.Contains(got, "hunter2") {
		t.Errorf("got %s, want no secret in it", got)
	}
}
