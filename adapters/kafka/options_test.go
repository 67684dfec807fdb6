package kafka

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"sidestream/adapters"
	"sidestream/adapters/kafka/registry"
	"sidestream/adapters/secret"
	"sidestream/proxy/strictyaml"
)

// wantOptionError checks that err complains of the option at path with a text
// that holds want.
func wantOptionError(t *testing.T, err error, path, want string) {
	t.Helper()
	for _, e := range optionErrors(err) {
		if e.Path == path && strings.Contains(e.Err.Error(), want) {
			return
		}
	}
	t.Errorf("got error %v, want one about %s: …%s…", err, path, want)
}

// decode reads the options of a route in YAML and checks them.
func decode(text string, route adapters.Route) (*Options, error) {
	doc, err := strictyaml.Parse("routes.yaml", []byte(text), strictyaml.References{})
	if err != nil {
		return nil, err
	}
	o := defaults()
	doc.Decode(doc.Root, "kafka", &o)
	if err := doc.Err(); err != nil {
		return nil, err
	}
	_, topicsErr := parseTopics(o.Topics, route)
	_, keyErr := parseRecordKey(o.RecordKey, route)
	return &o, errors.Join(o.check(route), topicsErr, keyErr)
}

func TestOptions(t *testing.T) {
	seconds := func(n int) adapters.Duration { return adapters.Duration(time.Duration(n) * time.Second) }
	offset := int64(100)
	for _, c := range []struct {
		yaml  string
		route adapters.Route
		want  func(*Options)
	}{
		{yaml: `topics: orders`, want: func(o *Options) { o.Topics = []string{"orders"} }},
		{yaml: `{topics: [a, "b.{x}"], brokers: [kafka-0, "kafka-1:1"]}`, route: routeOf("x"), want: func(o *Options) {
			o.Topics, o.Connection.Brokers = []string{"a", "b.{x}"}, []string{"kafka-0", "kafka-1:1"}
		}},
		{yaml: `{topics: a, partitions: [3, 0]}`, want: func(o *Options) { o.Topics, o.Partitions = []string{"a"}, []int32{3, 0} }},
		{yaml: `{topics: a, record_key: "user-{x}", partitioner: crc32}`, route: routeOf("x"), want: func(o *Options) {
			o.Topics, o.RecordKey, o.Partitioner = []string{"a"}, "user-{x}", partitionerCRC32
		}},
		{yaml: `{topics: a, record_key: k, partitioner: any}`, want: func(o *Options) {
			o.Topics, o.RecordKey, o.Partitioner = []string{"a"}, "k", partitionerAny
		}},
		{yaml: `{topics: a, start: earliest, isolation: read_uncommitted}`, want: func(o *Options) {
			o.Topics, o.Start, o.Isolation = []string{"a"}, Start{word: startEarliest}, isolationUncommitted
		}},
		{yaml: `{topics: a, start: {time: 2026-01-02T15:04:05Z}}`, want: func(o *Options) {
			o.Topics, o.Start = []string{"a"}, Start{Time: time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC)}
		}},
		{yaml: `{topics: a, start: {offset: 100}}`, want: func(o *Options) {
			o.Topics, o.Start = []string{"a"}, Start{Offset: &offset}
		}},
		{yaml: `{topics: a, start: {offset: 0}}`, want: func(o *Options) {
			o.Topics, o.Start = []string{"a"}, Start{Offset: new(int64)}
		}},
		{yaml: `{topics: a, compacted: true, start: earliest}`, want: func(o *Options) {
			o.Topics, o.Compacted, o.Start = []string{"a"}, true, Start{word: startEarliest}
		}},
		{yaml: `{topics: a, schema_registry: {url: "https://registry:8081", decode: [key, value]}}`, want: func(o *Options) {
			o.Topics, o.SchemaRegistry.URL, o.SchemaRegistry.Decode = []string{"a"}, "https://registry:8081", []registry.Part{registry.Key, registry.Value}
		}},
		{yaml: `{topics: a, fetch: {max_bytes: 2MiB, max_partition_bytes: 2MiB, max_batch: 1MiB, max_response: 3MiB, max_wait: 1s}}`, want: func(o *Options) {
			o.Topics, o.Fetch = []string{"a"}, Fetch{2 << 20, 2 << 20, 1 << 20, 3 << 20, seconds(1)}
		}},
		{yaml: `{topics: a, metadata_age: 1h, kept_positions: 4MiB}`, want: func(o *Options) {
			o.Topics, o.MetadataAge, o.KeptPositions = []string{"a"}, seconds(3600), 4<<20
		}},
		{yaml: `{topics: a, client_id: web.1_a-b, rack: eu-1a, connect_timeout: 1s, request_timeout: 2s, idle: {connections: 0, timeout: 1m}}`, want: func(o *Options) {
			o.Topics = []string{"a"}
			c := &o.Connection
			c.ClientID, c.Rack, c.ConnectTimeout, c.RequestTimeout, c.Idle = "web.1_a-b", "eu-1a", seconds(1), seconds(2), Idle{0, seconds(60)}
		}},
		{yaml: `{topics: a, tls: {enabled: true}, sasl: {mechanism: plain, user: u, password: {file: /pw}}}`, want: func(o *Options) {
			o.Topics = []string{"a"}
			c := &o.Connection
			c.TLS.Enabled = true
			c.SASL.Mechanism, c.SASL.User, c.SASL.Password = mechanismPlain, secret.Text("u"), secret.Value{File: "/pw"}
		}},
		{yaml: `{topics: a, tls: {ca: /ca.pem}, sasl: {mechanism: SCRAM-SHA-512, user: u, password: p}}`, want: func(o *Options) {
			o.Topics = []string{"a"}
			c := &o.Connection
			c.TLS.Files.CA = "/ca.pem"
			c.SASL.Mechanism, c.SASL.User, c.SASL.Password = mechanismSCRAM512, secret.Text("u"), secret.Text("p")
		}},
		{yaml: `{topics: a, sasl: {mechanism: oauthbearer, token: {file: /token}, extensions: {logicalCluster: lkc-1}}}`, want: func(o *Options) {
			o.Topics = []string{"a"}
			s := &o.Connection.SASL
			s.Mechanism, s.Token, s.Extensions = mechanismOAuthBearer, secret.Value{File: "/token"}, map[string]string{"logicalCluster": "lkc-1"}
		}},
		{yaml: `{topics: a, sasl: {mechanism: oauthbearer, oauth2: {token_url: "https://id/token", client_id: c, client_secret: s, scopes: kafka, tls: {ca: /ca.pem}, proxy: off}}}`, want: func(o *Options) {
			o.Topics = []string{"a"}
			s := &o.Connection.SASL
			s.Mechanism = mechanismOAuthBearer
			s.OAuth2.OAuth2.TokenURL, s.OAuth2.OAuth2.ClientID, s.OAuth2.OAuth2.ClientSecret = "https://id/token", "c", secret.Text("s")
			s.OAuth2.OAuth2.Scopes, s.OAuth2.TLS.CA = []string{"kafka"}, "/ca.pem"
			if err := s.OAuth2.Proxy.UnmarshalText([]byte("off")); err != nil {
				t.Fatal(err)
			}
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

// hidden is a secret that no error may show.
const hidden = "hunter2"

func TestBadOptions(t *testing.T) {
	for _, c := range []struct{ yaml, path, want string }{
		{`{}`, "topics", "is needed"},
		{`{topics: "a b"}`, "topics", `"a b": is no name`},
		{`{topics: a, record_key: "{nobody}"}`, "record_key", "no variable {nobody}"},
		{`{topics: a, partitions: [-1]}`, "partitions[0]", "the first is 0"},
		{`{topics: a, partitions: [1, 2, 1]}`, "partitions[2]", "1 is there twice"},
		{`{topics: a, partitions: 0, record_key: k}`, "partitions", "no effect with record_key"},
		{`{topics: a, partitioner: crc32}`, "partitioner", "with record_key only"},
		{`{topics: a, record_key: k, partitioner: murmur3}`, "partitioner", `"murmur3" is not known; valid: murmur2, crc32, any`},
		{`{topics: a, record_key: k, schema_registry: {url: "http://r", decode: key}}`, "record_key", "leave the key out of schema_registry.decode"},
		{`{topics: a, start: newest}`, "start", `"newest" is not known; valid: latest, earliest`},
		{`{topics: a, start: {offset: 1, time: 2026-01-02T15:04:05Z}}`, "start", "not both"},
		{`{topics: a, start: {offset: -1}}`, "start.offset", "is negative"},
		{`{topics: a, start: {time: 1969-12-31T23:59:59Z}}`, "start.time", "before 1970"},
		{`{topics: a, compacted: true, start: latest}`, "start", "made of all records"},
		{`{topics: a, compacted: true, start: {offset: 0}}`, "start", "made of all records"},
		{`{topics: a, compacted: true, start: {time: 2026-01-02T15:04:05Z}}`, "start", "made of all records"},
		{`{topics: a, isolation: serializable}`, "isolation", "valid: read_committed, read_uncommitted"},
		{`{topics: a, schema_registry: {url: "ftp://r"}}`, "schema_registry.url", "http or https"},
		{`{topics: a, schema_registry: {timeout: 1s}}`, "schema_registry.url", "is missing"},
		{`{topics: a, fetch: {max_bytes: 0}}`, "fetch.max_bytes", "from 1KiB to 1GiB"},
		{`{topics: a, fetch: {max_bytes: 2GiB}}`, "fetch.max_bytes", "from 1KiB to 1GiB"},
		{`{topics: a, fetch: {max_partition_bytes: 1023}}`, "fetch.max_partition_bytes", "1023 is out of bounds"},
		{`{topics: a, fetch: {max_partition_bytes: 9MiB}}`, "fetch.max_partition_bytes", "9MiB is more than max_bytes, 8MiB"},
		{`{topics: a, fetch: {max_batch: 1KiB}}`, "fetch.max_batch", "from 64KiB to 1GiB"},
		{`{topics: a, fetch: {max_response: 8MiB}}`, "fetch.max_response", "at least 1MiB more, 9MiB"},
		{`{topics: a, fetch: {max_response: 2GiB}}`, "fetch.max_response", "to 2047MiB"},
		{`{topics: a, fetch: {max_wait: 0}}`, "fetch.max_wait", "from 10ms to 1m0s"},
		{`{topics: a, metadata_age: 0}`, "metadata_age", "from 100ms to 1h0m0s"},
		{`{topics: a, kept_positions: 1MiB}`, "kept_positions", "from 4MiB to 64GiB"},

		{`{topics: a, brokers: []}`, "brokers", "is empty"},
		{`{topics: a, brokers: [a, "kafka://u:hunter2@b"]}`, "brokers[1]", "without kafka://"},
		{`{topics: a, brokers: "u:hunter2@b"}`, "brokers[0]", "sasl is for them"},
		{`{topics: a, brokers: "a,,b"}`, "brokers[0]", "is empty"},
		{`{topics: a, brokers: "a, b:x"}`, "brokers[0]", "from 1 to 65535"},
		{`{topics: a, brokers: "` + strings.Repeat("a,", 64) + `b"}`, "brokers", "there are 65; the most is 64"},
		{`{topics: a, client_id: ""}`, "client_id", "from 1 to 255"},
		{`{topics: a, client_id: "a b"}`, "client_id", "letters, digits"},
		{`{topics: a, client_id: ` + strings.Repeat("a", 256) + `}`, "client_id", "from 1 to 255"},
		{`{topics: a, rack: "a\nb"}`, "rack", "one line"},
		{`{topics: a, connect_timeout: 0}`, "connect_timeout", "from 100ms to 5m0s"},
		{`{topics: a, request_timeout: 10m}`, "request_timeout", "from 100ms to 5m0s"},
		{`{topics: a, idle: {connections: -1}}`, "idle.connections", "from 0 to 10000"},
		{`{topics: a, idle: {timeout: 0}}`, "idle.timeout", "from 1s to 1h0m0s"},
		{`{topics: a, tls: {cert: /c}}`, "tls.cert", "private key"},

		{`{topics: a, sasl: {user: u, password: hunter2}}`, "sasl.mechanism", "is needed with sasl.user, sasl.password; it is one of plain, scram-sha-256"},
		{`{topics: a, sasl: {oauth2: {client_id: c}}}`, "sasl.mechanism", "is needed with sasl.oauth2"},
		{`{topics: a, sasl: {mechanism: gssapi, user: u}}`, "sasl.mechanism", `"gssapi" is not known; valid: plain,`},
		{`{topics: a, sasl: {mechanism: plain, password: hunter2}}`, "sasl.user", "is needed with plain"},
		{`{topics: a, sasl: {mechanism: scram-sha-256, user: u}}`, "sasl.password", "is needed with scram-sha-256"},
		{`{topics: a, sasl: {mechanism: plain, user: "", password: hunter2}}`, "sasl.user", "is needed"},
		{`{topics: a, sasl: {mechanism: plain, user: u, password: "hunter2\0"}}`, "sasl.password", "holds a NUL"},
		{`{topics: a, sasl: {mechanism: plain, user: u, password: p, token: hunter2}}`, "sasl.token", "no effect with plain, which takes user, password"},
		{`{topics: a, sasl: {mechanism: scram-sha-512, user: u, password: p, extensions: {a: b}}}`, "sasl.extensions", "no effect"},
		{`{topics: a, sasl: {mechanism: oauthbearer}}`, "sasl", "needs one of token and oauth2"},
		{`{topics: a, sasl: {mechanism: oauthbearer, user: u, token: t}}`, "sasl.user", "no effect with oauthbearer"},
		{`{topics: a, sasl: {mechanism: oauthbearer, token: hunter2, oauth2: {token_url: "https://id", client_id: c}}}`, "sasl", "leave out one of the two"},
		{`{topics: a, sasl: {mechanism: oauthbearer, token: ""}}`, "sasl.token", "is empty"},
		{`{topics: a, sasl: {mechanism: oauthbearer, token: "hunter2 x"}}`, "sasl.token", "is no token"},
		{`{topics: a, sasl: {mechanism: oauthbearer, oauth2: {client_id: c}}}`, "sasl.oauth2.token_url", "absolute http or https URL"},
		{`{topics: a, sasl: {mechanism: oauthbearer, oauth2: {token_url: "https://id"}}}`, "sasl.oauth2.client_id", "is missing"},
		{`{topics: a, sasl: {mechanism: oauthbearer, oauth2: {token_url: "https://id", client_id: c, tls: {key: /k}}}}`, "sasl.oauth2.tls.key", "certificate"},
		{`{topics: a, sasl: {mechanism: oauthbearer, oauth2: {token_url: "https://id", client_id: c, tls: {server_name: x}}}}`, "sasl.oauth2.tls.server_name", "host of token_url"},
		{`{topics: a, sasl: {mechanism: oauthbearer, token: t, extensions: {a1: b}}}`, "sasl.extensions.a1", "letters only"},
		{`{topics: a, sasl: {mechanism: oauthbearer, token: t, extensions: {Auth: b}}}`, "sasl.extensions.Auth", "where the token stands"},
		{`{topics: a, sasl: {mechanism: oauthbearer, token: t, extensions: {a: "hunter2\x01"}}}`, "sasl.extensions.a", "one line of ASCII"},
		{`{topics: a, sasl: {mechanism: oauthbearer, token: t, extensions: {a: ""}}}`, "sasl.extensions.a", "from 1 to 1024"},
	} {
		_, err := decode(c.yaml, routeOf("region"))
		if err == nil {
			t.Errorf("%s: got no error, want one about %s", c.yaml, c.path)
			continue
		}
		t.Run(c.yaml, func(t *testing.T) { wantOptionError(t, err, c.path, c.want) })
		if strings.Contains(err.Error(), hidden) {
			t.Errorf("%s: got error %q, want it without the secret", c.yaml, err)
		}
	}
}

func TestManyPartitions(t *testing.T) {
	o := defaults()
	o.Topics = []string{"a", "b"}
	for i := range maxPartitions/2 + 1 {
		o.Partitions = append(o.Partitions, int32(i))
	}
	wantOptionError(t, o.check(adapters.Route{}), "partitions", "more than 100000 partitions")
	o.Partitions = o.Partitions[1:]
	if err := o.check(adapters.Route{}); err != nil {
		t.Errorf("got %v for the most partitions, want no error", err)
	}
}

func TestManyExtensions(t *testing.T) {
	o := defaults()
	o.Topics = []string{"a"}
	s := &o.Connection.SASL
	s.Mechanism, s.Token, s.Extensions = mechanismOAuthBearer, secret.Text("t"), map[string]string{}
	for i := range maxExtensions + 1 {
		s.Extensions[strings.Repeat("a", i+1)] = "b"
	}
	wantOptionError(t, o.check(adapters.Route{}), "sasl.extensions", "there are 33; the most is 32")
}

// Where a source begins if nothing is said, or if something is.
func TestSettle(t *testing.T) {
	for _, c := range []struct {
		yaml   string
		latest bool
		want   string
	}{
		{`{topics: a}`, false, "latest"},
		{`{topics: a}`, true, "earliest"},
		{`{topics: a, start: {}}`, true, "earliest"},
		{`{topics: a, compacted: true}`, false, "earliest"},
		{`{topics: a, compacted: true}`, true, "earliest"},
		{`{topics: a, start: latest}`, false, "latest"},
		{`{topics: a, start: earliest}`, true, "earliest"},
		{`{topics: a, start: {offset: 7}}`, true, "offset 7"},
		{`{topics: a, start: {time: 2026-01-02T15:04:05Z}}`, true, "time 2026-01-02T15:04:05Z"},
	} {
		route := adapters.Route{Latest: c.latest}
		o, err := decode(c.yaml, route)
		if err != nil {
			t.Errorf("%s: got %v, want no error", c.yaml, err)
			continue
		}
		o.settle(route)
		if got := o.Start.String(); got != c.want {
			t.Errorf("%s, latest %t: got %s, want %s", c.yaml, c.latest, got, c.want)
		}
	}
	_, err := decode(`{topics: a, start: latest}`, adapters.Route{Latest: true})
	wantOptionError(t, err, "start", "newest event of each key")

	o, err := decode(`{topics: a, partitions: [7, 0, 3]}`, adapters.Route{})
	if err != nil {
		t.Fatal(err)
	}
	o.settle(adapters.Route{})
	if want := []int32{0, 3, 7}; !reflect.DeepEqual(o.Partitions, want) {
		t.Errorf("got partitions %v, want %v", o.Partitions, want)
	}
}
