package webhook

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"sidestream/adapters"
	"sidestream/adapters/secret"
	"sidestream/adapters/webhook/verify"
)

// TestAnswers has every answer but those of CloudEvents.
func TestAnswers(t *testing.T) {
	const jsonType = "application/json"
	fails := func(err error) *sink { return &sink{fails: err} }
	for name, test := range map[string]struct {
		change  func(*Options)
		request *http.Request
		sink    *sink
		status  int
		headers []string // names and values in turn
		says    string
	}{
		"delivered":     {nil, post(`{}`, "Content-Type", jsonType), nil, 204, nil, ""},
		"get":           {nil, httptest.NewRequest(http.MethodGet, "/in", http.NoBody), nil, 405, []string{"Allow", "POST"}, "POST"},
		"head":          {nil, httptest.NewRequest(http.MethodHead, "/in", http.NoBody), nil, 405, []string{"Allow", "POST"}, ""},
		"options":       {nil, httptest.NewRequest(http.MethodOptions, "/in", http.NoBody), nil, 405, []string{"Allow", "POST"}, "POST"},
		"other methods": {func(o *Options) { o.Methods = []Method{"PUT", "PATCH"} }, post("1"), nil, 405, []string{"Allow", "PUT, PATCH"}, ""},

		"content type": {func(o *Options) { o.ContentTypes = []string{"Application/JSON", "text/*"} }, post("1", "Content-Type", "application/xml"), nil, 415,
			[]string{"Accept", "application/json, text/*"}, "application/json, text/*"},
		"no content type":        {func(o *Options) { o.ContentTypes = []string{"text/*"} }, post("1"), nil, 415, []string{"Accept", "text/*"}, ""},
		"content type by class":  {func(o *Options) { o.ContentTypes = []string{"text/*"} }, post("1", "Content-Type", "TEXT/html; a=b"), nil, 204, nil, ""},
		"broken content type":    {nil, post("1", "Content-Type", "/"), nil, 415, nil, "Content-Type"},
		"charset":                {nil, post("1", "Content-Type", "text/plain; charset=klingon"), nil, 415, nil, "charset"},
		"compression":            {nil, post("1", "Content-Encoding", "br"), nil, 415, []string{"Accept-Encoding", "gzip"}, "gzip"},
		"compressed twice":       {nil, post("1", "Content-Encoding", "gzip", "Content-Encoding", "gzip"), nil, 415, []string{"Accept-Encoding", "gzip"}, ""},
		"no compression":         {nil, post("1", "Content-Encoding", "identity"), nil, 204, nil, ""},
		"compressed":             {nil, post(zip(`{"a":1}`), "Content-Encoding", "gzip", "Content-Type", jsonType), nil, 204, nil, ""},
		"not compressed":         {nil, post("{}", "Content-Encoding", "gzip"), nil, 400, nil, "gzip"},
		"compressed and cut":     {nil, post(zip("hello, world")[:30], "Content-Encoding", "gzip"), nil, 400, nil, "gzip"},
		"too large":              {func(o *Options) { o.MaxBody = 10 }, post("12345678901"), nil, 413, []string{"Connection", "close"}, "10"},
		"too large, unannounced": {func(o *Options) { o.MaxBody = 10 }, unannounced("12345678901"), nil, 413, []string{"Connection", "close"}, "10"},
		"just not too large":     {func(o *Options) { o.MaxBody = 10 }, unannounced("1234567890"), nil, 204, nil, ""},
		"a bomb":                 {func(o *Options) { o.MaxBody = 1 << 12 }, post(zip(strings.Repeat("0", 1<<20)), "Content-Encoding", "gzip"), nil, 413, nil, "4KiB"},
		"cut":                    {nil, cut(), nil, 400, []string{"Connection", "close"}, "incomplete"},

		"JSON":          {nil, post(`{"a":}`, "Content-Type", jsonType), nil, 400, nil, "JSON"},
		"empty JSON":    {nil, post("", "Content-Type", "application/x+json"), nil, 400, nil, "JSON"},
		"two of JSON":   {nil, post("{}{}", "Content-Type", jsonType), nil, 400, nil, "JSON"},
		"JSON not UTF8": {nil, post("\"\xff\"", "Content-Type", jsonType), nil, 400, nil, "UTF-8"},
		"form":          {nil, post("a=%zz", "Content-Type", "application/x-www-form-urlencoded"), nil, 400, nil, "form"},
		"form not UTF8": {nil, post("a=%ff", "Content-Type", "application/x-www-form-urlencoded"), nil, 400, nil, "form"},
		"text not UTF8": {nil, post("\xff", "Content-Type", "text/plain"), nil, 400, nil, "charset"},
		"text broken":   {nil, post("\x81", "Content-Type", "text/plain; charset=shift_jis"), nil, 400, nil, "charset"},
		"reserved type": {func(o *Options) { o.TypeHeader = "X-Type" }, post("1", "X-Type", "stream.gap"), nil, 400, nil, `"stream.gap" is reserved`},
		"long type":     {func(o *Options) { o.TypeHeader = "X-Type" }, post("1", "X-Type", strings.Repeat("a", 2000)), nil, 400, nil, "1024 bytes"},

		"no token":    {func(o *Options) { o.Verify = bearer("s3cret") }, post("1"), nil, 401, []string{"Www-Authenticate", "Bearer"}, "not authorized"},
		"wrong token": {func(o *Options) { o.Verify = bearer("s3cret") }, post("1", "Authorization", "Bearer s3cred"), nil, 401, []string{"Www-Authenticate", "Bearer"}, "not authorized"},
		"token":       {func(o *Options) { o.Verify = bearer("s3cret") }, post("1", "Authorization", "Bearer s3cret"), nil, 204, nil, ""},
		"no signature": {func(o *Options) {
			o.Verify = verify.Options{GitHub: &verify.Signed{Secret: []secret.Value{secret.Text("s3cret")}}}
		}, post("1"), nil, 403, nil, "not authorized"},
		"secret missing": {func(o *Options) {
			o.Verify = verify.Options{Bearer: []secret.Value{{File: filepath.Join(t.TempDir(), "missing")}}}
		}, post("1", "Authorization", "Bearer a"), nil, 503, []string{"Retry-After", "5"}, "verified"},

		"bad variable":  {nil, post("1"), fails(fmt.Errorf("open: %w", adapters.ErrBadVariable)), 404, nil, "no such stream"},
		"not to keep":   {nil, post("1"), fails(fmt.Errorf("history: %w", adapters.ErrTooLarge)), 413, nil, "larger than what can be kept"},
		"busy":          {nil, post("1"), fails(fmt.Errorf("stream: %w", adapters.ErrBusy)), 429, []string{"Retry-After", "1"}, "waiting"},
		"not stored":    {nil, post("1"), fails(errDown), 503, []string{"Retry-After", "5"}, "stored"},
		"permanent too": {nil, post("1"), fails(adapters.Permanent("broken", errDown)), 503, []string{"Retry-After", "5"}, "stored"},
	} {
		t.Run(name, func(t *testing.T) {
			s := test.sink
			if s == nil {
				s = new(sink)
			}
			answer := serve(open(t, test.change), test.request, s.receive)
			if answer.StatusCode != test.status {
				t.Errorf("got status %d, want %d", answer.StatusCode, test.status)
			}
			for i := 0; i < len(test.headers); i += 2 {
				if got, want := answer.Header.Get(test.headers[i]), test.headers[i+1]; got != want {
					t.Errorf("got %s %q, want %q", test.headers[i], got, want)
				}
			}
			body := text(answer)
			if !strings.Contains(body, test.says) {
				t.Errorf("got %q, want it to say %q", body, test.says)
			}
			for _, private := range []string{"s3cre", "down", "missing\"", t.TempDir()} {
				if strings.Contains(body, private) {
					t.Errorf("got %q, want it without %q", body, private)
				}
			}
			if got, want := answer.Header.Get("X-Content-Type-Options"), "nosniff"; got != want {
				t.Errorf("got X-Content-Type-Options %q, want %q", got, want)
			}
			if events := len(s.got()); (answer.StatusCode == http.StatusNoContent) != (events == 1) {
				t.Errorf("got status %d and %d events, want an event with 204 only", answer.StatusCode, events)
			}
		})
	}
}

// unannounced returns a request with a body whose length isn't told.
func unannounced(body string) *http.Request {
	r := post("")
	r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), -1
	return r
}

// cut returns a request whose sender goes away.
func cut() *http.Request {
	r := post("")
	r.Body, r.ContentLength = io.NopCloser(io.MultiReader(strings.NewReader("12"), broken{})), 4
	return r
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func zip(text string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = io.WriteString(w, text)
	_ = w.Close()
	return b.String()
}

// What is signed are the bytes that were sent, compressed or not.
func TestSignedCompressed(t *testing.T) {
	const key = "It's a Secret to Everybody"
	f := open(t, func(o *Options) {
		o.Verify = verify.Options{GitHub: &verify.Signed{Secret: []secret.Value{secret.Text(key)}}}
	})
	const payload = `{"action":"opened"}`
	for name, signed := range map[string]string{"as it was sent": zip(payload), "decompressed": payload} {
		mac := hmac.New(sha256.New, []byte(key))
		_, _ = io.WriteString(mac, signed)
		r := post(zip(payload), "Content-Encoding", "gzip", "Content-Type", "application/json",
			"X-Hub-Signature-256", "sha256="+hex.EncodeToString(mac.Sum(nil)), "X-GitHub-Event", "issues", "X-GitHub-Delivery", "d-1")
		var s sink
		answer := serve(f, r, s.receive)
		if signed == payload {
			if answer.StatusCode != http.StatusForbidden || len(s.got()) > 0 {
				t.Errorf("signed %s: got status %d and %d events, want 403 and none", name, answer.StatusCode, len(s.got()))
			}
			continue
		}
		if answer.StatusCode != http.StatusNoContent || len(s.got()) != 1 {
			t.Fatalf("signed %s: got status %d, want 204", name, answer.StatusCode)
		}
		e := s.got()[0]
		if e.Type != "issues" || e.ID != "d-1" || string(e.Data) != payload || e.Meta["id"] != "d-1" {
			t.Errorf("got type %q, id %q, meta %v, data %q, want those of the delivery", e.Type, e.ID, e.Meta, e.Data)
		}
	}
}

// A provider that wants to hear something is told, and nothing is delivered.
func TestChallenge(t *testing.T) {
	const key, challenge = "8f742231b10e8888abcd99yyyzzz85a5", "3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P"
	f := open(t, func(o *Options) {
		o.Verify = verify.Options{Slack: &verify.Timed{Secret: []secret.Value{secret.Text(key)}}}
	})
	body := `{"token":"Jhj5dZrVaK7ZwHHjRyZWjbDl","challenge":"` + challenge + `","type":"url_verification"}`
	stamp := strconv.FormatInt(time.Now().Unix(), 10)
	mac := hmac.New(sha256.New, []byte(key))
	_, _ = io.WriteString(mac, "v0:"+stamp+":"+body)
	var s sink
	answer := serve(f, post(body, "Content-Type", "application/json", "X-Slack-Request-Timestamp", stamp,
		"X-Slack-Signature", "v0="+hex.EncodeToString(mac.Sum(nil))), s.receive)
	if got := text(answer); answer.StatusCode != http.StatusOK || got != challenge {
		t.Errorf("got status %d and %q, want 200 and the challenge", answer.StatusCode, got)
	}
	if got := answer.Header.Get("Content-Type"); got != "text/plain; charset=utf-8" {
		t.Errorf("got Content-Type %q, want text", got)
	}
	if len(s.got()) > 0 || len(s.vars) > 0 {
		t.Errorf("got %d events, want none", len(s.got()))
	}
}

// Which of several types an event has.
func TestType(t *testing.T) {
	hmacOf := func(body string) string {
		mac := hmac.New(sha256.New, []byte("k"))
		_, _ = io.WriteString(mac, body)
		return hex.EncodeToString(mac.Sum(nil))
	}
	signed := func(o *Options) {
		o.Verify = verify.Options{HMAC: &verify.HMAC{
			Secret: []secret.Value{secret.Text("k")}, Header: "X-Sum", TypeHeader: "X-Kind", IDHeader: "X-Delivery",
		}}
	}
	event := []string{
		"X-Sum", hmacOf("1"), "X-Kind", "provider", "X-Delivery", "d-1", "X-Type", "header",
		"Ce-Specversion", "1.0", "Ce-Id", "c-1", "Ce-Source", "/s", "Ce-Type", "cloud",
	}
	for name, test := range map[string]struct {
		change  func(*Options)
		without []string
		want    string
		id      string
	}{
		"static":            {func(o *Options) { signed(o); o.Type = "static" }, nil, "static", "d-1"},
		"header":            {func(o *Options) { signed(o); o.TypeHeader = "x-type" }, nil, "header", "d-1"},
		"header is missing": {func(o *Options) { signed(o); o.TypeHeader = "x-type" }, []string{"X-Type"}, "provider", "d-1"},
		"provider":          {signed, nil, "provider", "d-1"},
		"CloudEvent":        {signed, []string{"X-Kind", "X-Delivery"}, "cloud", "/s c-1"},
		"none": {
			func(o *Options) { signed(o); o.CloudEvents.Mode = modeOff },
			[]string{"X-Kind", "X-Delivery"}, "", "",
		},
	} {
		r := post("1", event...)
		for _, header := range test.without {
			r.Header.Del(header)
		}
		e := one(t, open(t, test.change), r)
		if e.Type != test.want || e.ID != test.id {
			t.Errorf("%s: got type %q and id %q, want %q and %q", name, e.Type, e.ID, test.want, test.id)
		}
		if _, ok := e.Headers["X-Sum"]; ok {
			t.Errorf("%s: got headers %v, want them without the signature", name, e.Headers)
		}
	}
}

func TestHeaders(t *testing.T) {
	r := post("1", "Content-Type", "text/plain", "X-Request-Id", "7", "Accept", "a", "Accept", "b", "Idempotency-Key", "k",
		"Authorization", "x", "Proxy-Authorization", "x", "Cookie", "x", "X-Gitlab-Token", "x", "X-Hub-Signature", "x",
		"X-Hub-Signature-256", "x", "Stripe-Signature", "x", "X-Shopify-Hmac-Sha256", "x", "Webhook-Signature", "x", "X-Api-Key", "x",
		"X-Amz-Security-Token", "x", "X-Auth-Key", "x", "X-Client-Secret", "x")
	e := one(t, open(t, nil), r)
	want := map[string]string{"Content-Type": "[text/plain]", "X-Request-Id": "[7]", "Accept": "[a b]", "Idempotency-Key": "[k]"}
	for name, values := range e.Headers {
		if got := fmt.Sprint(values); got != want[name] {
			t.Errorf("got %s: %s, want %q", name, got, want[name])
		}
		delete(want, name)
	}
	if len(want) > 0 {
		t.Errorf("got headers %v, want %v too", e.Headers, want)
	}
	r.Header["Accept"][0] = "changed"
	if got := e.Headers["Accept"][0]; got != "a" {
		t.Errorf("got %q in an event's header, want it independent of the request", got)
	}
}

// Logs say why a request was refused, and nothing of it.
func TestRefusalIsLogged(t *testing.T) {
	var out bytes.Buffer
	log := zerolog.New(&out)
	f := open(t, func(o *Options) { o.Verify = bearer("s3cret") })
	r := post("payload", "Authorization", "Bearer s3cred")
	serve(f, r.WithContext(log.WithContext(r.Context())), new(sink).receive)
	r = post("payload", "Authorization", "Bearer s3cret")
	serve(f, r.WithContext(log.WithContext(r.Context())), (&sink{fails: errDown}).receive)
	got := out.String()
	for _, want := range []string{`"level":"debug","status":401`, "bearer: ", `"level":"warn","status":503`, "down"} {
		if !strings.Contains(got, want) {
			t.Errorf("got log %s, want it to have %s", got, want)
		}
	}
	for _, private := range []string{"s3cre", "payload"} {
		if strings.Contains(got, private) {
			t.Errorf("got log %s, want it without %s", got, private)
		}
	}
}

// A sender doesn't wait for longer than accept_timeout.
func TestAcceptTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := open(t, func(o *Options) { o.AcceptTimeout = adapters.Duration(3 * time.Second) })
		began := time.Now()
		answer := serve(f, post("1"), func(ctx context.Context, _ adapters.Vars, _ []adapters.Event) error {
			<-ctx.Done()
			return ctx.Err()
		})
		if got := time.Since(began); answer.StatusCode != http.StatusServiceUnavailable || got != 3*time.Second {
			t.Errorf("got status %d after %v, want 503 after 3s", answer.StatusCode, got)
		}
	})
}

// Bodies that find no room are refused, and one always finds it.
func TestPendingBytes(t *testing.T) {
	f := open(t, func(o *Options) { o.Pending.Bytes = firstChunk })
	if got := serve(f, post(strings.Repeat("x", 4*firstChunk)), new(sink).receive); got.StatusCode != http.StatusNoContent {
		t.Fatalf("got status %d for a large body by itself, want 204", got.StatusCode)
	}
	entered, leave := make(chan struct{}), make(chan struct{})
	first := make(chan int)
	go func() {
		answer := serve(f, post("1"), func(context.Context, adapters.Vars, []adapters.Event) error {
			close(entered)
			<-leave
			return nil
		})
		first <- answer.StatusCode
	}()
	<-entered
	second := serve(f, post("2"), new(sink).receive)
	if second.StatusCode != http.StatusTooManyRequests || second.Header.Get("Retry-After") == "" {
		t.Errorf("got status %d, Retry-After %q while there is no room, want 429", second.StatusCode, second.Header.Get("Retry-After"))
	}
	close(leave)
	if got := <-first; got != http.StatusNoContent {
		t.Errorf("got status %d for the first, want 204", got)
	}
	if got := serve(f, post("3"), new(sink).receive); got.StatusCode != http.StatusNoContent {
		t.Errorf("got status %d when there is room again, want 204", got.StatusCode)
	}
	if f.budget.used != 0 {
		t.Errorf("got %d bytes held at the end, want none", f.budget.used)
	}
}

func TestReadAll(t *testing.T) {
	for _, size := range []int{0, 1, firstChunk - 1, firstChunk, firstChunk + 1, 3 * firstChunk} {
		for _, most := range []int{size - 1, size, size + 1} {
			if most < 1 {
				continue
			}
			b := budget{limit: 1 << 20}
			h := b.hold()
			body, err := readAll(strings.NewReader(strings.Repeat("x", size)), int64(most), h)
			if size > most {
				if !errors.Is(err, errTooLarge) {
					t.Errorf("%d of %d bytes: got error %v, want %v", size, most, err, errTooLarge)
				}
			} else if err != nil || len(body) != size {
				t.Errorf("%d of %d bytes: got %d, %v, want all", size, most, len(body), err)
			}
			if int64(cap(body)) > h.size {
				t.Errorf("%d of %d bytes: got %d held for %d, want no less", size, most, h.size, cap(body))
			}
		}
	}
}
