package webhook

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"sidestream/adapters"
	"sidestream/adapters/secret"
	"sidestream/adapters/webhook/verify"
)

func TestOptionsRefused(t *testing.T) {
	for name, test := range map[string]struct {
		change func(o *Options)
		path   string
		says   string
	}{
		"ingest relative":      {func(o *Options) { o.Ingest = "in" }, "ingest", `must start with "/"`},
		"ingest lacks one":     {func(o *Options) { o.Ingest = "/hooks" }, "ingest", `no variable, and the route's streams are told apart by {user}; it has to have just these, as in /hooks/{user}`},
		"ingest has another":   {func(o *Options) { o.Ingest = "/hooks/{id}" }, "ingest", "{id}, and the route's streams are told apart by {user}"},
		"ingest has one more":  {func(o *Options) { o.Ingest = "/{id}/{user}" }, "ingest", "as in /{user}"},
		"no methods":           {func(o *Options) { o.Methods = nil }, "methods", "POST, PUT, PATCH"},
		"method":               {func(o *Options) { o.Methods = []Method{"GET"} }, "methods[0]", "POST, PUT, PATCH"},
		"method twice":         {func(o *Options) { o.Methods = []Method{"PUT", "PUT"} }, "methods[1]", "twice"},
		"address":              {func(o *Options) { o.Listen.Address = "8080" }, "listen.address", "host:port"},
		"address port":         {func(o *Options) { o.Listen.Address = ":http-alt" }, "listen.address", "host:port"},
		"tls without address":  {func(o *Options) { o.Listen.TLS.Cert, o.Listen.TLS.Key = "c", "k" }, "listen.tls", "listen.address"},
		"cert without key":     {func(o *Options) { o.Listen.Address, o.Listen.TLS.Cert = ":1", "c" }, "listen.tls.cert", "listen.tls.key"},
		"nothing verified":     {func(o *Options) { o.Verify.None = false }, "verify", "none: true"},
		"mTLS without a CA":    {func(o *Options) { o.Verify = verify.Options{MTLS: &verify.MTLS{}} }, "listen.tls.client_ca", "verify.mtls needs it"},
		"no body":              {func(o *Options) { o.MaxBody = 0 }, "max_body", "from 1 byte to 1GiB"},
		"large body":           {func(o *Options) { o.MaxBody = 1<<30 + 1 }, "max_body", "from 1 byte to 1GiB"},
		"short timeout":        {func(o *Options) { o.Timeout = 0 }, "timeout", "from 100ms to 5m"},
		"long accept timeout":  {func(o *Options) { o.AcceptTimeout = adapters.Duration(time.Hour) }, "accept_timeout", "from 100ms to 5m"},
		"nothing may wait":     {func(o *Options) { o.Pending.Events = 0 }, "pending.events", "from 1 to 1000000"},
		"no bytes":             {func(o *Options) { o.Pending.Bytes = 0 }, "pending.bytes", "from 1 byte"},
		"format":               {func(o *Options) { o.Format = "xml" }, "format", "auto, json, form, text, bytes"},
		"reserved type":        {func(o *Options) { o.Type = "stream.gap" }, "type", "reserved"},
		"type header":          {func(o *Options) { o.TypeHeader = "a b" }, "type_header", "no name of a header"},
		"type header is none":  {func(o *Options) { o.TypeHeader = "x-api-key" }, "type_header", "secrets"},
		"two types":            {func(o *Options) { o.Type, o.TypeHeader = "a", "X-Type" }, "type_header", "leave out one"},
		"content type":         {func(o *Options) { o.ContentTypes = []string{"text/*", "json"} }, "content_types[1]", "application/json"},
		"content type charset": {func(o *Options) { o.ContentTypes = []string{"text/plain; charset=utf-8"} }, "content_types[0]", "without parameters"},
		"content type of all":  {func(o *Options) { o.ContentTypes = []string{"*/*"} }, "content_types[0]", "text/*"},
		"no entries":           {func(o *Options) { o.Dedupe.Entries = 0 }, "dedupe.entries", "from 1 to 10000000"},
		"mode":                 {func(o *Options) { o.CloudEvents.Mode = "on" }, "cloudevents.mode", "auto, require, off"},
		"no batch":             {func(o *Options) { o.CloudEvents.MaxBatch = 0 }, "cloudevents.max_batch", "from 1 to 1000000"},
		"origin":               {func(o *Options) { o.CloudEvents.AllowedOrigins = []string{"https://a.example"} }, "cloudevents.allowed_origins[0]", "eventgrid.azure.net"},
		"origins at the route": {func(o *Options) { o.CloudEvents.AllowedOrigins = []string{"*"} }, "cloudevents.allowed_origins", "another path"},
		"origins of nothing": {func(o *Options) {
			o.CloudEvents.Mode, o.CloudEvents.AllowedOrigins = modeOff, []string{"*"}
		}, "cloudevents.allowed_origins", "no effect with mode: off"},
		"rate of nobody": {func(o *Options) { o.CloudEvents.AllowedRate = 5 }, "cloudevents.allowed_rate", "without allowed_origins"},
	} {
		_, err := configured(test.change, "user")
		if !complains(err, test.path, test.says) {
			t.Errorf("%s: got error %v, want one at %q that says %q", name, err, test.path, test.says)
		}
	}
}

// complains reports whether err has an OptionError for path that says so.
func complains(err error, path, says string) bool {
	if list, ok := err.(interface{ Unwrap() []error }); ok {
		for _, err := range list.Unwrap() {
			if complains(err, path, says) {
				return true
			}
		}
		return false
	}
	var bad *adapters.OptionError
	return errors.As(err, &bad) && bad.Path == path && strings.Contains(err.Error(), says)
}

// All complaints are told at once.
func TestOptionsRefusedTogether(t *testing.T) {
	_, err := configured(func(o *Options) { o.Format, o.MaxBody, o.Ingest = "xml", 0, "in" })
	for _, path := range []string{"format", "max_body", "ingest"} {
		if !complains(err, path, "") {
			t.Errorf("got error %v, want it to complain of %s too", err, path)
		}
	}
}

func TestIngest(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*Options)
		vars   []string
		want   adapters.Ingest
		always bool
	}{
		"the route's own": {nil, nil, adapters.Ingest{Path: "/in", Methods: []string{"POST"}}, true},
		"the route's own, with variables": {
			nil, []string{"b", "a"},
			adapters.Ingest{Path: "/in/{b}/{a}", Methods: []string{"POST"}}, false,
		},
		"another, variables in another order": {
			func(o *Options) { o.Ingest, o.Methods = "/{a}/hooks/{b...}", []Method{methodPut, methodPost} }, []string{"b", "a"},
			adapters.Ingest{Path: "/{a}/hooks/{b...}", Methods: []string{"PUT", "POST"}}, false,
		},
		"a listener of its own": {
			func(o *Options) { o.Listen.Address = "127.0.0.1:8081" }, nil,
			adapters.Ingest{Path: "/in", Methods: []string{"POST"}, Address: "127.0.0.1:8081"}, true,
		},
		"handshake": {
			func(o *Options) { o.Ingest, o.CloudEvents.AllowedOrigins = "/hooks", []string{"a.example"} }, nil,
			adapters.Ingest{Path: "/hooks", Methods: []string{"POST", "OPTIONS"}}, true,
		},
		"handshake at a listener of its own": {
			func(o *Options) { o.Listen.Address, o.CloudEvents.AllowedOrigins = ":8081", []string{"*"} }, nil,
			adapters.Ingest{Path: "/in", Methods: []string{"POST", "OPTIONS"}, Address: ":8081"}, true,
		},
	} {
		f := open(t, test.change, test.vars...)
		if got := f.Ingest(); !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s: got %+v, want %+v", name, got, test.want)
		}
		if got := f.Capabilities(); !got.Ingest || got.Always != test.always {
			t.Errorf("%s: got capabilities %+v, want Ingest, and Always: %v", name, got, test.always)
		}
	}
}

// A query parameter tells streams apart too, so requests have to say whose
// their events are.
func TestIngestQuery(t *testing.T) {
	route := adapters.Route{Path: "/events", Vars: []string{"repo"}, Query: []string{"repo"}}
	configure := func(ingest string) (adapters.Factory, error) {
		return Adapter().Configure(route, func(options any) error {
			o := options.(*Options)
			o.Verify.None, o.Ingest = true, ingest
			return nil
		})
	}
	if _, err := configure(""); !complains(err, "ingest", "as in /events/{repo}") {
		t.Errorf("got error %v, want one at ingest", err)
	}
	f, err := configure("/hooks/{repo}")
	if err != nil {
		t.Fatalf("got error %v, want none", err)
	}
	if _, err := f.Open(adapters.Vars{}, adapters.Env{}); !errors.Is(err, adapters.ErrBadVariable) {
		t.Errorf("Open without the parameter: got error %v, want ErrBadVariable, since nothing could ever come", err)
	}
	var s sink
	r := httptest.NewRequest(http.MethodPost, "/hooks/a%2Fb", strings.NewReader("1"))
	if answer := serve(f.(*factory), r, s.receive); answer.StatusCode != http.StatusNoContent {
		t.Fatalf("got status %d, want 204", answer.StatusCode)
	}
	if want := []adapters.Vars{{"repo": "a/b"}}; !reflect.DeepEqual(s.vars, want) {
		t.Errorf("got variables %v, want %v", s.vars, want)
	}
}

// bearer are options for a token in the header Authorization.
func bearer(token string) verify.Options {
	return verify.Options{Bearer: []secret.Value{secret.Text(token)}}
}
