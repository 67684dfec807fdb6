package history

import (
	"strings"
	"time"

	"sidestream/adapters"
	"sidestream/adapters/history/embedded"
	"sidestream/adapters/nats"
)

// Options are what a routing table may configure under "nats" of its history.
type Options struct {
	// Embedded is the server in this process that is used as long as there are
	// no URLs: it listens on no port, and nobody else reaches it.
	Embedded embedded.Options `yaml:"embedded"`

	// Connection is how servers are reached that run elsewhere, such as a
	// cluster, by which replicas share what they keep. They need JetStream.
	Connection nats.Connection `yaml:",inline"`

	// Domain is the JetStream domain to use. Empty means that of the server.
	Domain string `yaml:"domain"`

	// APIPrefix is the prefix of the JetStream API's subjects, where another
	// account exports it. Empty means "$JS.API".
	APIPrefix string `yaml:"api_prefix"`

	// Prefix begins the names of the streams and of the bucket that are
	// created. Programs that share servers, and are no replicas of one
	// another, need different ones.
	Prefix string `yaml:"prefix"`

	// Lease is within about what time another replica runs a source whose replica
	// is gone without a word, from 2s to 5m. One that leaves in order is
	// followed at once.
	Lease adapters.Duration `yaml:"lease"`

	// Duplicates is for how long an event that its sender sends again, with
	// the same id, is known for the same one, from 1s to 24h.
	Duplicates adapters.Duration `yaml:"duplicates"`

	// Timeout bounds one attempt to write an event, from 100ms to 1m.
	Timeout adapters.Duration `yaml:"timeout"`
}

func defaults() Options {
	o := Options{
		Embedded:   embedded.Defaults(),
		Connection: nats.DefaultConnection(),
		Prefix:     "sidestream",
		Lease:      adapters.Duration(10 * time.Second),
		Duplicates: adapters.Duration(10 * time.Minute),
		Timeout:    adapters.Duration(5 * time.Second),
	}
	o.Connection.URLs = nil
	return o
}

// external reports whether the servers run elsewhere.
func (o *Options) external() bool { return len(o.Connection.URLs) > 0 }

// client returns the options of the store's connection.
func (o *Options) client() nats.ClientOptions {
	c := nats.ClientOptions{Connection: o.Connection, Domain: o.Domain, APIPrefix: o.APIPrefix}
	if !o.external() {
		c.Connection.URLs = nats.DefaultConnection().URLs // which stand for the one in this process
	}
	return c
}

const maxPrefix = 64

func (o *Options) check() error {
	var c adapters.OptionErrors
	client := o.client()
	client.Check(&c)
	if o.external() {
		c.Refuse(o.Embedded != embedded.Defaults(), "embedded", "it is not used with urls; leave out one of the two")
	} else {
		if embedded.Built || o.Embedded != embedded.Defaults() {
			o.Embedded.Check(&c, "embedded")
		}
		c.Refuse(o.Domain != "", "domain", "it has an effect with urls only")
		c.Refuse(o.APIPrefix != "", "api_prefix", "it has an effect with urls only")
	}
	odd := func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_')
	}
	c.Refuse(o.Prefix == "" || len(o.Prefix) > maxPrefix || strings.ContainsFunc(o.Prefix, odd), "prefix", "%q is no prefix of names: letters, digits, - and _, at most %d of them", o.Prefix, maxPrefix)
	adapters.Within(&c, "lease", o.Lease, adapters.Duration(2*time.Second), adapters.Duration(5*time.Minute))
	adapters.Within(&c, "duplicates", o.Duplicates, adapters.Duration(time.Second), adapters.Duration(24*time.Hour))
	adapters.Within(&c, "timeout", o.Timeout, adapters.Duration(100*time.Millisecond), adapters.Duration(time.Minute))
	return c.Err()
}
