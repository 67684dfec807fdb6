package nats

import (
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"
	"time"

	"sidestream/adapters"
	"sidestream/adapters/secret"
	"sidestream/proxy/strictyaml"
)

// wantOptionError checks that err complains of the option at path with a text
// that holds want.
func wantOptionError(t *testing.T, err error, path, want string) {
	t.Helper()
	var found bool
	var look func(error)
	look = func(err error) {
		if joined, ok := err.(interface{ Unwrap() []error }); ok {
			for _, e := range joined.Unwrap() {
				look(e)
			}
			return
		}
		var o *adapters.OptionError
		if errors.As(err, &o) && o.Path == path && strings.Contains(o.Err.Error(), want) {
			found = true
		}
	}
	look(err)
	if !found {
		t.Errorf("got error %v, want one about %s: …%s…", err, path, want)
	}
}

// decode reads the options of a route in YAML.
func decode(text string, route adapters.Route) (*Options, error) {
	doc, err := strictyaml.Parse("routes.yaml", []byte(text), strictyaml.References{})
	if err != nil {
		return nil, err
	}
	var o *Options
	_, err = Adapter().Configure(route, func(options any) error {
		o = options.(*Options)
		doc.Decode(doc.Root, "nats", options)
		return doc.Err()
	})
	return o, err
}

func TestOptions(t *testing.T) {
	for _, c := range []struct {
		yaml  string
		route adapters.Route
		want  func(*Options)
	}{
		{yaml: `subject: orders.>`, want: func(o *Options) { o.Subject = []string{"orders.>"} }},
		{yaml: `{subject: [a, b], queue: workers, urls: "tls://u:pw@h:1"}`, want: func(o *Options) {
			o.Subject, o.Queue, o.Connection.URLs = []string{"a", "b"}, "workers", urls("tls://u:pw@h:1")
		}},
		{yaml: `{stream: ORDERS, urls: [nats://a, nats://b:1]}`, want: func(o *Options) {
			o.Stream, o.Connection.URLs = "ORDERS", urls("nats://a", "nats://b:1")
		}},
		{yaml: `{stream: ORDERS, start: all, domain: hub}`, want: func(o *Options) {
			o.Stream, o.Start, o.Domain = "ORDERS", Start{word: startAll}, "hub"
		}},
		{yaml: `{stream: ORDERS, start: {sequence: 100}}`, want: func(o *Options) {
			o.Stream, o.Start = "ORDERS", Start{Sequence: 100}
		}},
		{yaml: `{stream: ORDERS, start: {time: 2026-01-02T15:04:05Z}}`, want: func(o *Options) {
			o.Stream, o.Start = "ORDERS", Start{Time: time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC)}
		}},
		{yaml: `{stream: ORDERS, subject: "orders.*"}`, route: adapters.Route{Latest: true}, want: func(o *Options) {
			o.Stream, o.Subject = "ORDERS", []string{"orders.*"}
		}},
		{yaml: `{bucket: prices, keys: [a, b.>], updates_only: true, ignore_deletes: true}`, want: func(o *Options) {
			o.Bucket, o.Keys, o.UpdatesOnly, o.IgnoreDeletes = "prices", []string{"a", "b.>"}, true, true
		}},
		{yaml: `{bucket: prices, history: true, prefetch: {messages: 7, bytes: 1MiB}}`, want: func(o *Options) {
			o.Bucket, o.History, o.Prefetch = "prices", true, Bound{7, 1 << 20}
		}},
		{yaml: `{subject: a, pending: {messages: 10}, name: x, ping_interval: 1s, connect_timeout: 2s, inbox_prefix: _INBOX.app, reconnect: {min: 1s, max: 2s}}`, want: func(o *Options) {
			o.Subject, o.Pending.Messages = []string{"a"}, 10
			c := &o.Connection
			c.Name, c.PingInterval, c.ConnectTimeout, c.InboxPrefix = "x", adapters.Duration(time.Second), adapters.Duration(2*time.Second), "_INBOX.app"
			c.Reconnect = Backoff{adapters.Duration(time.Second), adapters.Duration(2 * time.Second)}
		}},
		{yaml: `{subject: a, tls_first: true, tls: {ca: /ca.pem}, auth: {user: u, password: {file: /pw}}}`, want: func(o *Options) {
			o.Subject = []string{"a"}
			c := &o.Connection
			c.TLSFirst, c.TLS.CA = true, "/ca.pem"
			c.Auth.User, c.Auth.Password = secret.Text("u"), secret.Value{File: "/pw"}
		}},
	} {
		got, err := decode(c.yaml, c.route)
		if err != nil {
			t.Errorf("%s: got %v, want no error", c.yaml, err)
			continue
		}
		want := defaults()
		c.want(&want)
		if !reflect.DeepEqual(*got, want) {
			t.Errorf("%s: got %+v, want %+v", c.yaml, *got, want)
		}
	}
}

// TestStartDefault: where a stream begins if nothing is said.
func TestStartDefault(t *testing.T) {
	for _, c := range []struct {
		latest bool
		want   string
	}{{false, startNew}, {true, startLastPerSubject}} {
		f := configure(t, "", adapters.Route{Latest: c.latest}, func(o *Options) { o.Stream = "S" })
		if got := f.options.Start.String(); got != c.want {
			t.Errorf("latest %v: got %s, want %s", c.latest, got, c.want)
		}
	}
}

func TestBadOptions(t *testing.T) {
	seed := newUserKey(t).seed
	for _, c := range []struct{ yaml, path, want string }{
		{`{}`, "subject", "is needed"},
		{`{subject: a..b}`, "subject", "empty token"},
		{`{subject: [a, "a b"]}`, "subject[1]", "white space"},
		{`{subject: "a.{nobody}"}`, "subject", "no variable {nobody}"},
		{`{subject: [a.>, a.b]}`, "subject[1]", "can match the same subject"},
		{`{subject: _INBOX.x.>}`, "subject", "answers to requests"},
		{`{stream: S, bucket: B}`, "bucket", "can't go together"},
		{`{bucket: B, subject: a}`, "subject", "keys select"},
		{`{stream: S, queue: q}`, "queue", "core NATS only"},
		{`{subject: a, queue: "a b"}`, "queue", "one word"},
		{`{stream: S, pending: {messages: 1}}`, "pending", "core NATS only"},
		{`{subject: a, prefetch: {messages: 1}}`, "prefetch", "stream or a bucket only"},
		{`{subject: a, domain: d}`, "domain", "stream or a bucket only"},
		{`{subject: a, api_prefix: d}`, "api_prefix", "stream or a bucket only"},
		{`{subject: a, start: all}`, "start", "core NATS keeps nothing"},
		{`{bucket: B, start: all}`, "start", "history and updates_only"},
		{`{stream: S, keys: a}`, "keys", "bucket only"},
		{`{bucket: B, keys: []}`, "keys", "is empty"},
		{`{bucket: B, keys: a$}`, "keys", "letters, digits"},
		{`{stream: S, updates_only: true}`, "updates_only", "bucket only"},
		{`{stream: S, ignore_deletes: true}`, "ignore_deletes", "bucket only"},
		{`{stream: S, history: true}`, "history", "bucket only"},
		{`{bucket: B, updates_only: true, history: true}`, "history", "leave out one of the two"},
		{`{stream: a.b}`, "stream", "no name of a stream"},
		{`{stream: "a b"}`, "stream", "no name of a stream"},
		{`{stream: "{region}"}`, "stream", "takes no variable"},
		{`{bucket: a.b}`, "bucket", "no name of a bucket"},
		{`{subject: a, queue: "{region}"}`, "queue", "takes no variable"},
		{`{stream: S, domain: d, api_prefix: p}`, "api_prefix", "leave out one of the two"},
		{`{stream: S, domain: "a b"}`, "domain", "no name of a domain"},
		{`{stream: S, api_prefix: "a.>"}`, "api_prefix", "no prefix"},
		{`{stream: S, start: newest}`, "start", `"newest" is not known; valid: new, all, last, last_per_subject`},
		{`{stream: S, start: {sequence: 1, time: 2026-01-02T15:04:05Z}}`, "start", "not both"},
		{`{subject: a, pending: {messages: 0}}`, "pending.messages", "from 1"},
		{`{subject: a, pending: {bytes: 0}}`, "pending.bytes", "from 1 byte"},
		{`{stream: S, prefetch: {messages: 0}}`, "prefetch.messages", "from 1"},
		{`{subject: a, urls: []}`, "urls", "is empty"},
		{`{subject: a, urls: [nats://a, ws://b]}`, "urls[1]", "all by WebSocket or none"},
		{`{subject: a, urls: "ws://a", tls: {ca: x}}`, "urls[0]", "ws has no TLS"},
		{`{subject: a, urls: "wss://a", tls_first: true}`, "tls_first", "always begins with TLS"},
		{`{subject: a, urls: "nats://hunter2@a", auth: {token: t}}`, "urls[0]", "leave out auth.token"},
		{`{subject: a, auth: {user: u, password: p, token: t}}`, "auth", "there are 2: user, token"},
		{`{subject: a, auth: {user: u}}`, "auth", "go together"},
		{`{subject: a, auth: {jwt: hunter2}}`, "auth", "go together"},
		{`{subject: a, auth: {token: ""}}`, "auth.token", "is empty"},
		{`{subject: a, auth: {jwt: j, seed: hunter2}}`, "auth.seed", "no seed"},
		{`{subject: a, auth: {creds: /c, jwt: j, seed: ` + seed + `}}`, "auth", "creds, jwt"},
		{`{subject: a, tls: {cert: /c}}`, "tls.cert", "private key"},
		{`{subject: a, inbox_prefix: "a.>"}`, "inbox_prefix", "no prefix"},
		{`{subject: a, inbox_prefix: ""}`, "inbox_prefix", "no prefix"},
		{`{subject: a, connect_timeout: 0}`, "connect_timeout", "from 100ms"},
		{`{subject: a, ping_interval: 0}`, "ping_interval", "from 100ms"},
		{`{subject: a, reconnect: {min: 0}}`, "reconnect.min", "from 10ms"},
		{`{subject: a, reconnect: {min: 10s}}`, "reconnect.max", "less than min"},
		{`{subject: a, name: "a\nb"}`, "name", "one line"},
	} {
		_, err := decode(c.yaml, adapters.Route{Vars: []string{"region"}})
		if err == nil {
			t.Errorf("%s: got no error, want one about %s", c.yaml, c.path)
			continue
		}
		t.Run(c.yaml, func(t *testing.T) { wantOptionError(t, err, c.path, c.want) })
		if strings.Contains(err.Error(), hidden) || strings.Contains(err.Error(), seed) {
			t.Errorf("%s: got error %q, want it without the secret", c.yaml, err)
		}
	}
	latest := adapters.Route{Latest: true}
	_, err := decode(`{stream: S, start: all}`, latest)
	wantOptionError(t, err, "start", "newest event of each key")
	if _, err := decode(`{stream: S, start: last_per_subject}`, latest); err != nil {
		t.Errorf("latest with last_per_subject: got %v, want no error", err)
	}
}

func TestBadURL(t *testing.T) {
	for _, text := range []string{
		"", "localhost:4222", "http://hunter2@h", "nats:///x", "nats://", "nats://hunter2@", "nats://h:0", "nats://h:70000", "nats://h:x",
		"nats://h/path", "nats://h?hunter2", "nats://h#f", "ws://h?q", "nats://@h", "nats://:hunter2@h", "nats:h", "nats://h a", "nats://h%zz",
	} {
		var u URL
		err := u.UnmarshalText([]byte(text))
		if err == nil {
			t.Errorf("%q: got %v, want an error", text, u)
			continue
		}
		if strings.Contains(err.Error(), hidden) {
			t.Errorf("%q: got error %q, want it without the secret", text, err)
		}
	}
	for text, want := range map[string]string{
		"nats://h":               "nats://h",
		"tls://u:hunter2@h:1":    "tls://(secret)@h:1",
		"ws://hunter2@h/path":    "ws://(secret)@h/path",
		"wss://[::1]:443/":       "wss://[::1]:443/",
		"nats://u:p%40hunter2@h": "nats://(secret)@h",
	} {
		var u URL
		if err := u.UnmarshalText([]byte(text)); err != nil {
			t.Errorf("%q: got %v, want no error", text, err)
		}
		if got := fmt.Sprint(u); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

// TestMakingAcquiresNothing: a table may be read just to be checked.
func TestMakingAcquiresNothing(t *testing.T) {
	for _, yaml := range []string{
		`{subject: a, urls: "nats://nowhere.invalid"}`,
		`{subject: a, auth: {creds: /nowhere}, tls: {ca: /nowhere}}`,
	} {
		doc, err := strictyaml.Parse("routes.yaml", []byte(yaml), strictyaml.References{})
		if err != nil {
			t.Fatal(err)
		}
		f, err := Adapter().Configure(adapters.Route{}, func(options any) error {
			doc.Decode(doc.Root, "nats", options)
			return doc.Err()
		})
		if err != nil {
			t.Fatalf("%s: got %v, want no error", yaml, err)
		}
		if err := f.(io.Closer).Close(); err != nil {
			t.Errorf("Close: got %v, want no error", err)
		}
	}
}

func TestCapabilities(t *testing.T) {
	for yaml, want := range map[string]adapters.Capabilities{
		`subject: a`: {Keyed: true},
		`stream: S`:  {Positions: true, Replayable: true, Keyed: true, Seekable: true},
		`bucket: B`:  {Positions: true, Replayable: true, Stateful: true, Keyed: true, Selects: true},

		`{bucket: B, updates_only: true}`:      {Positions: true, Replayable: true, Keyed: true},
		`{bucket: B, history: true}`:           {Positions: true, Replayable: true, Stateful: true, Keyed: true},
		`{stream: S, start: last_per_subject}`: {Positions: true, Replayable: true, Keyed: true, Seekable: true, Selects: true},
	} {
		doc, err := strictyaml.Parse("routes.yaml", []byte(yaml), strictyaml.References{})
		if err != nil {
			t.Fatal(err)
		}
		f, err := Adapter().Configure(adapters.Route{}, func(options any) error {
			doc.Decode(doc.Root, "nats", options)
			return doc.Err()
		})
		if err != nil {
			t.Fatal(err)
		}
		got := f.Capabilities()
		if hasOrder := got.Compare != nil; hasOrder != got.Positions {
			t.Errorf("%s: got an order of positions: %v, want %v", yaml, hasOrder, got.Positions)
		}
		got.Compare = nil
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, want %+v", yaml, got, want)
		}
		s, err := f.Open(nil, adapters.Env{})
		if err != nil {
			t.Fatal(err)
		}
		if _, seeks := s.(adapters.Seeker); seeks != got.Seekable {
			t.Errorf("%s: got a Seeker: %v, want %v", yaml, seeks, got.Seekable)
		}
		if _, explains := s.(adapters.Explainer); !explains {
			t.Errorf("%s: got no Explainer, want one", yaml)
		}
	}
}
