package proxy

import (
	"net/netip"
	"net/url"
	"reflect"
	"strings"
	"testing"

	"sidestream/adapters"
	"sidestream/adapters/adaptertest"
	"sidestream/adapters/tlsfiles"
	"sidestream/proxy/strictyaml"
)

// parseBare parses a table whose only adapter is called bare.
func parseBare(t *testing.T, table string) *Config {
	t.Helper()
	config, err := tryBare(table)
	if err != nil {
		t.Fatal(err)
	}
	return config
}

func tryBare(table string) (*Config, error) {
	bare := adapters.New("bare", func() struct{} { return struct{}{} },
		func(struct{}, adapters.Route) (adapters.Factory, error) { return (&adaptertest.Log{}).Factory(), nil })
	return Parse("test.yaml", []byte(table), adapters.NewRegistry(bare), strictyaml.References{})
}

func prefix(text string) Network {
	return Network{prefixes: []netip.Prefix{netip.MustParsePrefix(text)}}
}

func TestBindings(t *testing.T) {
	for table, want := range map[string][]Binding{
		"":                                {{Address: ":8080"}},
		"listen: 127.0.0.1:80":            {{Address: "127.0.0.1:80"}},
		"listen: {address: '[::1]:80'}":   {{Address: "[::1]:80"}},
		"listen: [':1', {address: ':2'}]": {{Address: ":1"}, {Address: ":2"}},
		"listen: unix:/run/a.sock":        {{Address: "unix:/run/a.sock"}},
		"listen: ['127.0.0.1:0', '127.0.0.1:0']": {
			{Address: "127.0.0.1:0"}, {Address: "127.0.0.1:0"},
		},
		"listen: {address: unix:/run/a.sock, mode: 0660, proxy_protocol: unix}": {
			{Address: "unix:/run/a.sock", Mode: 0o660, ProxyProtocol: []Network{{local: true}}},
		},
		"listen: {address: ':1', tls: {cert: a, key: b}}": {
			{Address: ":1", TLS: &tlsfiles.ServerOptions{Cert: "a", Key: "b", MinVersion: "1.2"}},
		},
		"listen: [{address: ':1', tls: {cert: a, key: b, client_ca: c, min_version: 1.3}, proxy_protocol: [10.0.0.0/8, 192.0.2.7, '2001:db8::/32', '::ffff:192.0.2.8']}]": {{
			Address: ":1", TLS: &tlsfiles.ServerOptions{Cert: "a", Key: "b", ClientCA: "c", MinVersion: "1.3"},
			ProxyProtocol: []Network{prefix("10.0.0.0/8"), prefix("192.0.2.7/32"), prefix("2001:db8::/32"), prefix("192.0.2.8/32")},
		}},
		"listen: [{address: ':1', tls: &tls {cert: a, key: b}}, {address: ':2', tls: *tls}]": {
			{Address: ":1", TLS: &tlsfiles.ServerOptions{Cert: "a", Key: "b", MinVersion: "1.2"}},
			{Address: ":2", TLS: &tlsfiles.ServerOptions{Cert: "a", Key: "b", MinVersion: "1.2"}},
		},
	} {
		config, err := tryBare(table + "\nroutes: [{path: /, bare: {}}]")
		if err != nil {
			t.Errorf("%s: %v", table, err)
		} else if !reflect.DeepEqual(config.Listen, want) {
			t.Errorf("%s: got %+v, want %+v", table, config.Listen, want)
		}
	}
}

func TestListenAt(t *testing.T) {
	table := Config{Listen: []Binding{{Address: ":1", Mode: 1}}, Admin: ":2"}
	for _, tt := range []struct {
		public []string
		admin  string
		want   Config
		err    string
	}{
		{nil, "", table, ""},
		{[]string{":3", "unix:/a"}, "", Config{Listen: []Binding{{Address: ":3"}, {Address: "unix:/a"}}, Admin: ":2"}, ""},
		{nil, "off", Config{Listen: table.Listen, Admin: "off"}, ""},
		{nil, "unix:/b", Config{Listen: table.Listen, Admin: "unix:/b"}, ""},
		{[]string{":3", "8080"}, ":4", table, `listen: "8080" is no address`},
		{[]string{"unix:"}, "", table, "listen: the path of the socket is missing"},
		{[]string{":3"}, "unix:a", table, "admin: the path of a socket is written in full"},
		{[]string{"unix:/" + strings.Repeat("a", 107)}, "", table, "listen: the path of the socket has 108 bytes; the most is 107"},
	} {
		got := table
		err := got.ListenAt(tt.public, tt.admin)
		if tt.err == "" && err != nil || tt.err != "" && (err == nil || !strings.HasPrefix(err.Error(), tt.err)) {
			t.Errorf("%q, %q: got error %v, want %q", tt.public, tt.admin, err, tt.err)
		}
		if !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%q, %q: got %+v, want %+v", tt.public, tt.admin, got, tt.want)
		}
	}
}

// What secures the table's addresses isn't lost for one on the command line.
func TestListenAtInPlaceOfTLS(t *testing.T) {
	plain, secure := Binding{Address: ":1"}, Binding{Address: ":2", TLS: &tlsfiles.ServerOptions{Cert: "c", Key: "k", ClientCA: "ca"}}
	announced := Binding{Address: ":3", ProxyProtocol: make([]Network, 1)}
	for _, tt := range []struct {
		list []Binding
		err  string
	}{
		{[]Binding{plain, secure}, "listen: the table's :2 has tls, which would be lost: change the address in the table, or leave out --listen (SIDESTREAM_LISTEN)"},
		{[]Binding{announced, plain}, "listen: the table's :3 has proxy_protocol, which would be lost: change the address in the table, or leave out --listen (SIDESTREAM_LISTEN)"},
	} {
		table := Config{Listen: tt.list, Admin: ":9"}
		got := table
		if err := got.ListenAt([]string{":4"}, ""); err == nil || err.Error() != tt.err {
			t.Errorf("got error %v, want %s", err, tt.err)
		}
		if !reflect.DeepEqual(got, table) {
			t.Errorf("got %+v, want it unchanged: %+v", got, table)
		}
		if err := got.ListenAt(nil, "off"); err != nil || !reflect.DeepEqual(got.Listen, tt.list) {
			t.Errorf("without an address: got error %v and %+v, want none and %+v", err, got.Listen, tt.list)
		}
	}
}

func TestNoAdminAddress(t *testing.T) {
	_, err := tryBare("admin: ''\nroutes: [{path: /, bare: {}}]")
	if want := "test.yaml:1:8: admin: is empty; write an address"; err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("got error %v, want %s", err, want)
	}
}

func TestLongestSocketPath(t *testing.T) {
	if err := checkAddress("unix:/" + strings.Repeat("a", 106)); err != nil {
		t.Errorf("107 bytes: got %v, want no error", err)
	}
}

func TestUpstreamAtSocket(t *testing.T) {
	config := parseBare(t, "upstream: 'unix:/run/a b%20?.sock'\nroutes: [{path: /, bare: {}}, {path: /x, upstream: unix:/run/x.sock, bare: {}}]")
	want := &url.URL{Scheme: "unix", OmitHost: true, Path: "/run/a b%20?.sock"}
	if !reflect.DeepEqual(config.Upstream, want) || !reflect.DeepEqual(config.Routes[0].upstream, want) {
		t.Errorf("got %#v, for the route %#v, want %#v", config.Upstream, config.Routes[0].upstream, want)
	}
	if got := config.Routes[1].upstream.String(); got != "unix:/run/x.sock" {
		t.Errorf("got %s, want unix:/run/x.sock", got)
	}
}
