package proxy

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"sidestream/adapters"
	"sidestream/adapters/adaptertest"
	"sidestream/proxy/strictyaml"
)

func TestLogs(t *testing.T) {
	inWorld(t, `routes: [{path: "/u/{user}", query: [token], log: {name: s}, live_marker: false, event: {decode: text, where: '. != "hidden"'}}]`, func(w *world) {
		w.publish("s", "a payload")
		c := w.connect("/u/ann?token=hunter2")
		w.upstream("s").Fail(adapters.Transient("upstream answered 503", errors.New("GET http://app/")))
		c.wants("s.0.1 a payload", "s.0.1 stream.stale …")
		c.drop()
		log := w.log.String()
		for _, want := range []string{
			`{"level":"info","route":"/u/{user}","var.user":"ann","message":"stream opened"}`,
			`"level":"info","route":"/u/{user}","var.user":"ann","from":"starting","to":"fresh","reason":"","message":"source changed state"`,
			`"from":"fresh","to":"stale","reason":"upstream answered 503"`,
			`"level":"warn","route":"/u/{user}","var.user":"ann","error":"upstream answered 503: GET http://app/","message":"source failed; it will be run again"`,
			`"level":"debug","route":"/u/{user}","var.user":"ann","client":"pipe","resumes":false,"message":"client connected"`,
			`"client":"pipe","reason":"gone","bytes":`,
		} {
			if !strings.Contains(log, want) {
				t.Errorf("the log lacks %s", want)
			}
		}
		for _, secret := range []string{"hunter2", "a payload"} {
			if strings.Contains(log, secret) {
				t.Errorf("the log holds %q", secret)
			}
		}
		if t.Failed() {
			t.Logf("log:\n%s", log)
		}
	})
}

// TestComplaintsAreSampled: a route whose messages are all broken doesn't
// fill the disk.
func TestComplaintsAreSampled(t *testing.T) {
	inWorld(t, `routes: [{path: /p, log: {name: p}, event: {data: .a}}]`, func(w *world) {
		defer w.connect("/p").drop()
		for range 200 {
			w.publish("p", "broken")
		}
		if got := strings.Count(w.log.String(), "event refused"); got != 5 {
			t.Errorf("got %d complaints about 200 messages, want 5", got)
		}
		if got := w.metric(`sidestream_dropped_events_total{reason="expression",route="/p"}`); got != "200" {
			t.Errorf("counted: got %s, want 200", got)
		}
	})
}

func TestMetrics(t *testing.T) {
	inWorld(t, `routes: [{path: /p, log: {name: p}}]`, func(w *world) {
		a, b := w.connect("/p"), w.connect("/p")
		defer a.drop()
		defer b.drop()
		w.publish("p", "1", "2", "3")
		bytes := int64(len(a.bytes())-len("retry: 3000\n")) * 2
		for name, want := range map[string]string{
			`sidestream_clients{route="/p"}`:                           "2",
			`sidestream_streams{route="/p"}`:                           "1",
			`sidestream_sources{route="/p",state="fresh"}`:             "1",
			`sidestream_sources{route="/p",state="starting"}`:          "0",
			`sidestream_source_events_total{adapter="log",route="/p"}`: "3",
			`sidestream_sent_events_total{route="/p"}`:                 "6",
			`sidestream_sent_bytes_total{route="/p"}`:                  strconv.FormatInt(bytes, 10),
			`sidestream_disconnects_total{reason="drain",route="/p"}`:  "0",
			`sidestream_build_info{version="test"}`:                    "1",
		} {
			if got := w.metric(name); got != want {
				t.Errorf("%s: got %s, want %s", name, got, want)
			}
		}
		if got := w.metric(`sidestream_fanout_seconds_count{route="/p"}`); got == "" || got == "0" {
			t.Errorf("fan-out latency: got %q observations, want some", got)
		}
	})
}

func TestPassthroughIsCounted(t *testing.T) {
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }))
	s := New(passing(t, app.URL), Settings{})
	defer s.transports.closeIdle()
	request := func() int {
		rec := httptest.NewRecorder()
		s.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/x", http.NoBody))
		return rec.Code
	}
	if got := request(); got != http.StatusTeapot {
		t.Errorf("got status %d, want 418", got)
	}
	app.Close()
	if got := request(); got != http.StatusBadGateway {
		t.Errorf("with the application gone: got status %d, want 502", got)
	}
	rec := httptest.NewRecorder()
	s.adminHandler().ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/metrics", http.NoBody))
	for _, want := range []string{`sidestream_passthrough_responses_total{code="418"} 1`, `sidestream_passthrough_responses_total{code="502"} 1`} {
		if !strings.Contains(rec.Body.String(), want) {
			t.Errorf("metrics lack %s", want)
		}
	}
	_, _ = io.Copy(io.Discard, rec.Body)
}

func passing(t *testing.T, upstream string) *Config {
	t.Helper()
	config, err := Parse("test.yaml", []byte("upstream: "+upstream), adapters.NewRegistry(), strictyaml.References{})
	if err != nil {
		t.Fatal(err)
	}
	return config
}

// wholeURL is a factory that stands for the very URL of a request.
type wholeURL struct{ adapters.Factory }

func (w wholeURL) Capabilities() adapters.Capabilities {
	c := w.Factory.Capabilities()
	c.WholeURL = true
	return c
}

func TestUnlistedQueryParameter(t *testing.T) {
	log := &adaptertest.Log{}
	registry := adapters.NewRegistry(adapters.New("log", func() struct{} { return struct{}{} },
		func(struct{}, adapters.Route) (adapters.Factory, error) { return wholeURL{log.Factory()}, nil }))
	config, err := Parse("test.yaml", []byte(`routes: [{path: /p, query: [page], log: {}}]`), registry, strictyaml.References{})
	if err != nil {
		t.Fatal(err)
	}
	s := New(config, Settings{})
	for target, want := range map[string]int{
		"/p": 200, "/p?page=2": 200, "/p?lastEventId=x": 200, "/p?pgae=2": 400, "/p?page=2&sort=up": 400,
	} {
		rec := httptest.NewRecorder()
		s.ServeHTTP(rec, httptest.NewRequest(http.MethodHead, target, http.NoBody))
		if rec.Code != want {
			t.Errorf("%s: got status %d, want %d", target, rec.Code, want)
		}
	}
}
