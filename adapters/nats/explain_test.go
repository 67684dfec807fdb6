package nats

import (
	"fmt"
	"strings"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	natsgo "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"sidestream/adapters"
	"sidestream/adapters/secret"
)

// explained explains a route and returns the text of its steps and its events.
func explained(t *testing.T, url string, run bool, edit func(*Options)) (string, []adapters.Event, error) {
	t.Helper()
	f := configure(t, url, adapters.Route{}, edit)
	x, err := open(t, f, nil).(adapters.Explainer).Explain(t.Context(), run)
	var b strings.Builder
	for _, s := range x.Steps {
		fmt.Fprintf(&b, "%s: %s\n", s.Name, s.Text)
	}
	if strings.Contains(b.String(), hidden) {
		t.Errorf("got\n%s\nwant it without the secret", &b)
	}
	return b.String(), x.Events, err
}

func contains(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("got\n%s\nwant it to hold %q", text, part)
		}
	}
}

// TestExplain: what would be done is shown without doing it.
func TestExplain(t *testing.T) {
	const nowhere = "nats://user:" + hidden + "@nowhere.invalid:1"
	text, events, err := explained(t, nowhere, false, func(o *Options) {
		o.Subject, o.Queue = []string{"orders.>"}, "workers"
		o.Connection.TLS.CA = "/ca.pem"
	})
	if err != nil || events != nil {
		t.Errorf("got events %v, error %v, want none", events, err)
	}
	contains(t, text, "connection: nats://(secret)@nowhere.invalid:1", "authorities from /ca.pem", "subscribe: core: orders.>", "queue group workers", "65536 messages or 64MiB")

	text, _, err = explained(t, nowhere, false, func(o *Options) { o.Stream, o.Subject, o.Start = "ORDERS", []string{"a", "b"}, Start{Sequence: 7} })
	if err != nil {
		t.Error(err)
	}
	contains(t, text, "read: stream ORDERS: a, b", "starts at: sequence 7", "500 messages or 8MiB")

	text, _, err = explained(t, nowhere, false, func(o *Options) { o.Bucket, o.History, o.IgnoreDeletes = "prices", true, true })
	if err != nil {
		t.Error(err)
	}
	contains(t, text, "read: bucket prices: >", "all revisions", "deletions are left out")
}

// TestExplainRun: what comes of doing it is shown too.
func TestExplainRun(t *testing.T) {
	srv := startServer(t, func(o *server.Options) { o.Username, o.Password = "u", hidden })
	nc := srv.Connect(t, natsgo.UserInfo("u", hidden))
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "ORDERS", Subjects: []string{"orders.>"}}); err != nil {
		t.Fatal(err)
	}
	for i := range maxSample + 10 {
		if _, err := js.Publish(t.Context(), "orders.x", fmt.Appendf(nil, "%d", i)); err != nil {
			t.Fatal(err)
		}
	}
	url := withUser(srv.URL(), "u:"+hidden)
	text, events, err := explained(t, url, true, func(o *Options) { o.Subject = []string{"orders.>"} })
	if err != nil || len(events) != 0 {
		t.Errorf("core: got %d events, error %v, want none", len(events), err)
	}
	contains(t, text, "server: ", "version 2.", "with JetStream")

	text, events, err = explained(t, url, true, func(o *Options) { o.Stream, o.Start.word = "ORDERS", startAll })
	if err != nil || len(events) != maxSample || string(events[0].Data) != "0" {
		t.Errorf("stream: got %d events, error %v, want the first %d", len(events), err, maxSample)
	}
	contains(t, text, "state: 30 messages, sequences 1 to 30", "subjects: orders.>")

	kv, err := js.CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: "prices"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := kv.PutString(t.Context(), "tea", "3"); err != nil {
		t.Fatal(err)
	}
	_, events, err = explained(t, url, true, func(o *Options) { o.Bucket = "prices" })
	if err != nil || len(events) != 1 || events[0].Key != "tea" {
		t.Errorf("bucket: got events %+v, error %v, want the entry", events, err)
	}

	text, _, err = explained(t, url, true, func(o *Options) { o.Stream = "NOBODY" })
	if !adapters.IsPermanent(err) || adapters.Reason(err) != reasonNoStream {
		t.Errorf("a stream that isn't there: got error %v, want %q", err, reasonNoStream)
	}
	contains(t, text, "server: ")
	_, _, err = explained(t, srv.URL(), true, func(o *Options) { o.Stream = "ORDERS" })
	if !adapters.IsPermanent(err) || adapters.Reason(err) != reasonRefused {
		t.Errorf("without credentials: got error %v, want %q", err, reasonRefused)
	}
}

// TestDescribe: each kind of credentials is shown as what it is, and none by
// its text.
func TestDescribe(t *testing.T) {
	for _, c := range []struct {
		auth Auth
		want string
	}{
		{Auth{}, ""},
		{Auth{User: secret.Text(hidden), Password: secret.Text(hidden)}, "user (secret) and password (secret)"},
		{Auth{Token: secret.Value{File: "/run/token"}}, "token (secret in /run/token)"},
		{Auth{NKey: "/run/nkey"}, "NKey from /run/nkey"},
		{Auth{Creds: "/run/creds"}, "credentials from /run/creds"},
		{Auth{JWT: secret.Text(hidden), Seed: secret.Text(hidden)}, "JWT (secret) and seed (secret)"},
	} {
		if got := c.auth.describe(); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
	o := defaults().Connection
	if got := o.describeTLS(); got != "" {
		t.Errorf("by default: got %q, want nothing", got)
	}
	o.TLS.CA, o.TLS.Cert, o.TLS.ServerName, o.TLSFirst = "/ca", "/cert", "n", true
	contains(t, o.describeTLS(), "1.2", "/ca", "/cert", "name n", "handshake first")
}
