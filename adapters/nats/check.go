package nats

import (
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/nats-io/nkeys"

	"sidestream/adapters"
	"sidestream/adapters/secret"
	"sidestream/adapters/tlsfiles"
)

// Bounds of options.
const (
	maxURLs    = 64
	maxName    = 255 // of streams, as the server has it; of buckets, queues and connections too
	maxPending = 10_000_000
	maxBytes   = 1 << 40
)

// A sourceKind is what is read.
type sourceKind int

const (
	kindCore sourceKind = iota
	kindStream
	kindBucket
)

func (o *Options) kind() sourceKind {
	switch {
	case o.Bucket != "":
		return kindBucket
	case o.Stream != "":
		return kindStream
	default:
		return kindCore
	}
}

func (o *Options) check(route adapters.Route) error {
	var c adapters.OptionErrors
	o.Connection.check(&c)
	o.checkKind(&c)
	o.checkJetStream(&c)
	o.Start.check(&c, route)
	o.Pending.check(&c, "pending")
	o.Prefetch.check(&c, "prefetch")
	return c.Err()
}

// settle replaces what depends on the route by what it stands for.
func (o *Options) settle(route adapters.Route) {
	if o.Start == (Start{}) {
		o.Start.word = startNew
		if route.Latest && o.kind() == kindStream {
			o.Start.word = startLastPerSubject
		}
	}
}

func (o *Options) checkKind(c *adapters.OptionErrors) {
	d := defaults()
	kind := o.kind()
	c.Refuse(o.Stream != "" && o.Bucket != "", "bucket", "stream and bucket can't go together; read one of them")
	c.Refuse(kind == kindCore && len(o.Subject) == 0, "subject", "is needed, unless there is a stream or a bucket: what to subscribe to, such as orders.>")
	c.Refuse(kind == kindBucket && len(o.Subject) > 0, "subject", "has no effect with a bucket; keys select its keys")

	c.Refuse(kind != kindCore && o.Queue != "", "queue", "has an effect with core NATS only; every reader of a %s gets all of it", o.noun())
	c.Refuse(kind != kindCore && o.Pending != d.Pending, "pending", "has an effect with core NATS only; a %s waits until it is asked (prefetch)", o.noun())
	c.Refuse(kind == kindCore && o.Prefetch != d.Prefetch, "prefetch", "has an effect with a stream or a bucket only; pending bounds what waits for a subject's source")
	c.Refuse(kind == kindCore && o.Domain != "", "domain", "has an effect with a stream or a bucket only")
	c.Refuse(kind == kindCore && o.APIPrefix != "", "api_prefix", "has an effect with a stream or a bucket only")
	c.Refuse(kind != kindStream && o.Start != (Start{}), "start", "has an effect with a stream only%s", o.startHint())

	c.Refuse(kind != kindBucket && !slices.Equal(o.Keys, d.Keys), "keys", "has an effect with a bucket only; subject selects messages")
	c.Refuse(kind == kindBucket && len(o.Keys) == 0, "keys", `is empty; ">" stands for every key`)
	c.Refuse(kind != kindBucket && o.UpdatesOnly, "updates_only", "has an effect with a bucket only")
	c.Refuse(kind != kindBucket && o.IgnoreDeletes, "ignore_deletes", "has an effect with a bucket only")
	c.Refuse(kind != kindBucket && o.History, "history", "has an effect with a bucket only")
	c.Refuse(o.UpdatesOnly && o.History, "history", "updates_only leaves out what is there; leave out one of the two")

	c.Refuse(tooLong(o.Queue) || strings.ContainsFunc(o.Queue, odd), "queue", "a queue group's name is one word of at most %d bytes, without white space", maxName)
	for _, subject := range o.Subject {
		reserved := subject == inboxes || strings.HasPrefix(subject, inboxes+separator)
		c.Refuse(kind == kindCore && reserved, "subject", "%q: subjects under %s are answers to requests, for those who asked", subject, inboxes)
	}
}

// inboxes is the first token of the subjects of answers.
const inboxes = "_INBOX"

func (o *Options) noun() string {
	if o.kind() == kindBucket {
		return "bucket"
	}
	return "stream"
}

func (o *Options) startHint() string {
	if o.kind() == kindBucket {
		return "; history and updates_only say with what a bucket begins"
	}
	return "; core NATS keeps nothing"
}

func (o *Options) checkJetStream(c *adapters.OptionErrors) {
	for option, name := range map[string]string{"stream": o.Stream, "bucket": o.Bucket, "queue": o.Queue} {
		c.Refuse(strings.ContainsAny(name, "{}"), option, "%q: a %s takes no variable", name, option)
	}
	bad := tooLong(o.Stream) || strings.ContainsFunc(o.Stream, odd) || strings.ContainsAny(o.Stream, `.*>/\`)
	c.Refuse(bad, "stream", `%q is no name of a stream: at most %d bytes, without white space and . * > / \`, o.Stream, maxName)
	bad = tooLong(o.Bucket) || strings.ContainsFunc(o.Bucket, func(r rune) bool { return r != '-' && r != '_' && !letter(r) })
	c.Refuse(bad, "bucket", "%q is no name of a bucket: letters, digits, - and _, at most %d bytes", o.Bucket, maxName)
	c.Refuse(o.Domain != "" && o.APIPrefix != "", "api_prefix", "domain stands for a prefix too; leave out one of the two")
	c.Refuse(o.Domain != "" && !plainSubject(o.Domain), "domain", "%q is no name of a domain", o.Domain)
	c.Refuse(o.APIPrefix != "" && !plainSubject(strings.TrimSuffix(o.APIPrefix, separator)), "api_prefix", "%q is no prefix of a subject, such as JS.hub.API", o.APIPrefix)
}

func (s Start) check(c *adapters.OptionErrors, route adapters.Route) {
	if s.word != "" {
		c.OneOf("start", s.word, s.Values()...)
	}
	c.Refuse(s.Sequence != 0 && !s.Time.IsZero(), "start", "begins at a sequence or at a time, not both")
	c.Refuse(route.Latest && s != (Start{}) && s.word != startLastPerSubject, "start", "the route's clients start with the newest event of each key; leave this out, or write %s", startLastPerSubject)
}

func (b Bound) check(c *adapters.OptionErrors, path string) {
	c.Refuse(b.Messages < 1 || b.Messages > maxPending, path+".messages", "%d is out of bounds; it is from 1 to %d", b.Messages, maxPending)
	c.Refuse(b.Bytes < 1 || b.Bytes > maxBytes, path+".bytes", "%s is out of bounds; it is from 1 byte to 1024GiB", b.Bytes)
}

func (o *Connection) check(c *adapters.OptionErrors) {
	o.checkURLs(c)
	c.Refuse(tooLong(o.Name) || strings.ContainsFunc(o.Name, unicode.IsControl), "name", "it is one line of at most %d bytes", maxName)
	c.Refuse(!plainSubject(o.InboxPrefix), "inbox_prefix", "%q is no prefix of a subject, such as _INBOX or _INBOX.sidestream", o.InboxPrefix)
	adapters.Within(c, "connect_timeout", o.ConnectTimeout, adapters.Duration(100*time.Millisecond), adapters.Duration(5*time.Minute))
	adapters.Within(c, "ping_interval", o.PingInterval, adapters.Duration(100*time.Millisecond), adapters.Duration(time.Hour))
	adapters.Within(c, "reconnect.min", o.Reconnect.Min, adapters.Duration(10*time.Millisecond), adapters.Duration(time.Hour))
	adapters.Within(c, "reconnect.max", o.Reconnect.Max, adapters.Duration(10*time.Millisecond), adapters.Duration(time.Hour))
	c.Refuse(o.Reconnect.Max < o.Reconnect.Min, "reconnect.max", "%s is less than min, %s", o.Reconnect.Max, o.Reconnect.Min)
	o.TLS.Check(c, "tls")
	o.Auth.check(c)
}

func (o *Connection) checkURLs(c *adapters.OptionErrors) {
	c.Refuse(len(o.URLs) == 0, "urls", "is empty; write at least one, such as %s", defaultURL())
	c.Refuse(len(o.URLs) > maxURLs, "urls", "it has more than %d", maxURLs)
	secured := o.TLS != tlsfiles.Defaults() || o.TLSFirst
	for i, u := range o.URLs {
		path := "urls[" + strconv.Itoa(i) + "]"
		if u.url == nil {
			c.Refuse(true, path, "is empty")
			continue
		}
		c.Refuse(u.webSocket() != o.URLs[0].webSocket(), path, "servers are reached all by WebSocket or none")
		c.Refuse(u.url.Scheme == schemeWS && secured, path, "ws has no TLS; write wss, or leave out tls and tls_first")
		c.Refuse(u.url.Scheme == schemeWSS && o.TLSFirst, "tls_first", "has no effect with wss, which always begins with TLS")
		c.Refuse(u.url.User != nil && o.Auth.used() != nil, path, "it holds credentials already; leave out auth.%s", strings.Join(o.Auth.used(), ", auth."))
	}
}

// used returns the kinds of credentials that are configured.
func (a *Auth) used() []string {
	var list []string
	add := func(name string, is bool) {
		if is {
			list = append(list, name)
		}
	}
	add("user", !a.User.IsZero() || !a.Password.IsZero())
	add("token", !a.Token.IsZero())
	add("nkey", a.NKey != "")
	add("creds", a.Creds != "")
	add("jwt", !a.JWT.IsZero() || !a.Seed.IsZero())
	return list
}

func (a *Auth) check(c *adapters.OptionErrors) {
	used := a.used()
	c.Refuse(len(used) > 1, "auth", "one kind of credentials is enough, and there are %d: %s", len(used), strings.Join(used, ", "))
	c.Refuse(a.Password.IsZero() != a.User.IsZero(), "auth", "user and password go together")
	c.Refuse(a.JWT.IsZero() != a.Seed.IsZero(), "auth", "jwt and seed go together")
	for path, v := range map[string]secret.Value{"auth.user": a.User, "auth.token": a.Token, "auth.jwt": a.JWT} {
		c.Refuse(!v.IsZero() && v.IsEmpty(), path, "is empty")
	}
	if seed := a.Seed.Reveal(); !a.Seed.IsZero() && a.Seed.File == "" {
		_, err := nkeys.FromSeed([]byte(seed))
		c.Refuse(err != nil, "auth.seed", `it is no seed of an NKey, which begins with "SU"`)
	}
}

func tooLong(name string) bool { return len(name) > maxName }

// odd reports whether r can't be part of any name.
func odd(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }

func letter(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
}

// plainSubject reports whether s is a subject without wildcards.
func plainSubject(s string) bool {
	tokens := strings.Split(s, separator)
	return len(s) <= maxName && !slices.Contains(tokens, "") && !strings.ContainsFunc(s, odd) && !strings.ContainsAny(s, "*>")
}
