package tlsfiles_test

import (
	"strings"
	"testing"

	"sidestream/adapters"
	"sidestream/adapters/tlsfiles"
	"sidestream/proxy/strictyaml"
)

func TestDecode(t *testing.T) {
	all := tlsfiles.Options{
		CA: "/tls/ca.crt", Cert: "/tls/tls.crt", Key: "/tls/tls.key",
		ServerName: "legacy", InsecureSkipVerify: true, MinVersion: "1.3",
	}
	for yaml, want := range map[string]tlsfiles.Options{
		"{}":                      {MinVersion: "1.2"},
		"tls: {min_version: 1.3}": {MinVersion: "1.3"},
		"tls: {ca: /tls/ca.crt, cert: /tls/tls.crt, key: /tls/tls.key, server_name: legacy, insecure_skip_verify: true, min_version: 1.3}": all,
	} {
		d, err := strictyaml.Parse("routes.yaml", []byte(yaml), strictyaml.References{})
		if err != nil {
			t.Fatal(err)
		}
		into := struct {
			TLS tlsfiles.Options `yaml:"tls"`
		}{tlsfiles.Defaults()}
		d.Decode(d.Root, "", &into)
		if got := into.TLS; got != want || d.Err() != nil {
			t.Errorf("%s: got %+v, %v, want %+v", yaml, got, d.Err(), want)
		}
	}
}

func TestCheck(t *testing.T) {
	type options = tlsfiles.Options
	for _, tc := range []struct {
		edit func(*options)
		want string // "" for no error
	}{
		{func(*options) {}, ""},
		{func(o *options) { o.CA, o.Cert, o.Key, o.ServerName = "/none", "/none", "/none", "legacy" }, ""},
		{func(o *options) { o.InsecureSkipVerify, o.MinVersion = true, "1.3" }, ""},
		{func(o *options) { o.Cert = "a" }, "nats.tls.cert: it needs its private key as nats.tls.key"},
		{func(o *options) { o.Key = "a" }, "nats.tls.key: it needs its certificate as nats.tls.cert"},
		{func(o *options) { o.CA, o.InsecureSkipVerify = "a", true }, "nats.tls.ca: it has no effect with insecure_skip_verify; leave out one of the two"},
		{func(o *options) { o.MinVersion = "1.1" }, `nats.tls.min_version: "1.1" is not known; valid: 1.2, 1.3`},
		{func(o *options) { o.MinVersion = "" }, `nats.tls.min_version: "" is not known; valid: 1.2, 1.3`},
		{func(o *options) { o.CA, o.InsecureSkipVerify, o.Key = "a", true, "b" }, "nats.tls.key: it needs its certificate as nats.tls.cert\n" +
			"nats.tls.ca: it has no effect with insecure_skip_verify; leave out one of the two"},
	} {
		o := tlsfiles.Defaults()
		tc.edit(&o)
		var c adapters.OptionErrors
		o.Check(&c, "nats.tls")
		got := ""
		if err := c.Err(); err != nil {
			got = err.Error()
		}
		if strings.TrimSpace(got) != tc.want {
			t.Errorf("%+v: got %q, want %q", o, got, tc.want)
		}
	}
}
