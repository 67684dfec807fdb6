package kafka

import (
	"strings"
	"testing"

	"sidestream/adapters"
)

func TestDescribe(t *testing.T) {
	const tail = `as the client "sidestream"; what is known of the cluster, and idle connections, are shared by all routes with these options
5s for a connection, 10s for an answer
up to 16 idle connections are kept for 30s`
	for _, c := range []struct{ yaml, want string }{
		{`{topics: a}`, "brokers: 127.0.0.1:9092\n" + tail},
		{`{topics: a, brokers: "b-0,b-1:1", rack: eu-1a, tls: {enabled: true}}`,
			"brokers: b-0:9092, b-1:1\nTLS 1.2 or later\nreplicas in the rack eu-1a are read from, where the cluster offers that\n" + tail},
		{`{topics: a, tls: {ca: /ca, cert: /cert, key: /key, server_name: n, min_version: "1.3"}}`,
			"brokers: 127.0.0.1:9092\nTLS 1.3 or later, authorities from /ca, certificate from /cert, for the name n\n" + tail},
		{`{topics: a, tls: {insecure_skip_verify: true}}`,
			"brokers: 127.0.0.1:9092\nTLS 1.2 or later, any certificate is taken\n" + tail},
		{`{topics: a, sasl: {mechanism: scram-sha-512, user: hunter2, password: hunter2}}`,
			"brokers: 127.0.0.1:9092\nSASL SCRAM-SHA-512: user (secret) and password (secret)\n" + tail},
		{`{topics: a, sasl: {mechanism: plain, user: {file: /user}, password: {file: /pw}}}`,
			"brokers: 127.0.0.1:9092\nSASL PLAIN: user (secret in /user) and password (secret in /pw)\n" + tail},
		{`{topics: a, sasl: {mechanism: oauthbearer, token: hunter2, extensions: {a: hunter2}}}`,
			"brokers: 127.0.0.1:9092\nSASL OAUTHBEARER: token (secret), with extensions: a\n" + tail},
		{`{topics: a, sasl: {mechanism: oauthbearer, oauth2: {token_url: "https://id/token?key=hunter2", client_id: c, client_secret: hunter2}}}`,
			"brokers: 127.0.0.1:9092\nSASL OAUTHBEARER: tokens from https://id/token for the client c\n" + tail},
	} {
		o, err := decode(c.yaml, adapters.Route{})
		if err != nil {
			t.Errorf("%s: got %v, want no error", c.yaml, err)
			continue
		}
		got := o.Connection.describe()
		if got != c.want {
			t.Errorf("%s: got\n%s\nwant\n%s", c.yaml, got, c.want)
		}
		if strings.Contains(got, hidden) {
			t.Errorf("%s: got %q, want it without the secret", c.yaml, got)
		}
	}
}

func TestDescribeReading(t *testing.T) {
	const (
		committed = "records of transactions are read once these are committed\n"
		tail      = "an answer should have up to 8MiB, 1MiB of one partition, and comes after 500ms at the latest\n" +
			"a batch of more than 64MiB is left out, and an answer of more than 128MiB is refused"
	)
	for _, c := range []struct {
		yaml string
		key  []byte
		want string
	}{
		{`{topics: x}`, nil, "all partitions; those that are added are found within 10s\na client without a position starts at: latest\n" + committed},
		{`{topics: x, partitions: [3, 1], start: earliest, isolation: read_uncommitted}`, nil,
			"partitions 1, 3\na client without a position starts at: earliest\nrecords of all transactions are read, those that are aborted included\n"},
		{`{topics: x, record_key: k, start: {offset: 7}}`, []byte("k\"1"),
			"records with the key \"k\\\"1\", of the partition that murmur2 gives\na client without a position starts at: offset 7\n" + committed},
		{`{topics: x, record_key: k, partitioner: any, start: {time: 2026-01-02T15:04:05Z}}`, []byte("k"),
			"records with the key \"k\", of all partitions\na client without a position starts at: time 2026-01-02T15:04:05Z\n" + committed},
		{`{topics: x, compacted: true}`, nil,
			"all partitions; those that are added are found within 10s\neach record is the state of its key; one without a value takes the key away\na client without a position starts at: earliest\n" + committed},
		{`{topics: x, partitions: [0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21]}`, nil,
			"partitions 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19 and 2 more\na client without a position starts at: latest\n" + committed},
	} {
		o, err := decode(c.yaml, adapters.Route{})
		if err != nil {
			t.Errorf("%s: got %v, want no error", c.yaml, err)
			continue
		}
		o.settle(adapters.Route{})
		if got, want := o.describe([]string{"a", "b"}, c.key), "topics: a, b\n"+c.want+tail; got != want {
			t.Errorf("%s: got\n%s\nwant\n%s", c.yaml, got, want)
		}
	}
}
