package webhook

import (
	"mime"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"

	"sidestream/adapters"
)

// Bounds of options.
const (
	maxMaxBody = 1 << 30
	maxPending = 1_000_000
	maxHeld    = 1 << 40
	maxEntries = 10_000_000
	maxBatch   = 1_000_000
	maxRate    = 1_000_000
	maxOrigins = 1000

	minTimeout = adapters.Duration(100 * time.Millisecond)
	maxTimeout = adapters.Duration(5 * time.Minute)
)

// check returns an [adapters.OptionError] for each option whose value can't be
// used, joined.
func (o *Options) check(route adapters.Route) error {
	var c adapters.OptionErrors
	checkIngest(&c, o.Ingest, route)
	o.checkMethods(&c)
	o.Listen.check(&c)
	o.Verify.Check(&c, "verify")
	c.Refuse(o.Verify.MTLS != nil && o.Listen.TLS.ClientCA == "", "listen.tls.client_ca", "verify.mtls needs it: only a listener of the route's own (listen.address) asks clients for certificates")
	c.Refuse(o.MaxBody < 1 || o.MaxBody > maxMaxBody, "max_body", "%s is out of bounds; it is from 1 byte to %s", o.MaxBody, adapters.Size(maxMaxBody))
	adapters.Within(&c, "timeout", o.Timeout, minTimeout, maxTimeout)
	adapters.Within(&c, "accept_timeout", o.AcceptTimeout, minTimeout, maxTimeout)
	adapters.Within(&c, "pending.events", o.Pending.Events, 1, maxPending)
	c.Refuse(o.Pending.Bytes < 1 || o.Pending.Bytes > maxHeld, "pending.bytes", "%s is out of bounds; it is from 1 byte to 1024GiB", o.Pending.Bytes)
	o.checkContent(&c)
	adapters.Within(&c, "dedupe.entries", o.Dedupe.Entries, 1, maxEntries)
	o.CloudEvents.check(&c)
	shared := len(o.CloudEvents.AllowedOrigins) > 0 && o.Listen.Address == "" && o.Ingest == route.Path
	c.Refuse(shared, "cloudevents.allowed_origins", "OPTIONS requests for %s are a browser's, which asks whether it may read the route; set ingest to another path, or listen to another address", o.Ingest)
	return c.Err()
}

func (o *Options) checkMethods(c *adapters.OptionErrors) {
	c.Refuse(len(o.Methods) == 0, "methods", "is empty; write at least one of %s", strings.Join(methodPost.Values(), ", "))
	for i, m := range o.Methods {
		path := "methods[" + strconv.Itoa(i) + "]"
		c.OneOf(path, string(m), m.Values()...)
		c.Refuse(slices.Contains(o.Methods[:i], m), path, "%s stands there twice", m)
	}
}

func (o *Options) checkContent(c *adapters.OptionErrors) {
	c.OneOf("format", string(o.Format), o.Format.Values()...)
	c.Type("type", o.Type)
	c.Refuse(o.TypeHeader != "" && !httpguts.ValidHeaderFieldName(o.TypeHeader), "type_header", "%q is no name of a header, such as X-Event-Type", o.TypeHeader)
	c.Refuse(o.TypeHeader != "" && hidden(http.CanonicalHeaderKey(o.TypeHeader)), "type_header", "%q is for secrets, which clients must not get", o.TypeHeader)
	c.Refuse(o.Type != "" && o.TypeHeader != "", "type_header", "type is set, which is the type of all events; leave out one of the two")
	for i, t := range o.ContentTypes {
		parsed, params, err := mime.ParseMediaType(t)
		bad := err != nil || len(params) > 0 || strings.Count(parsed, "/") != 1 || strings.HasPrefix(parsed, "*")
		c.Refuse(bad, "content_types["+strconv.Itoa(i)+"]", "%q is no media type, such as application/json or text/*, without parameters", t)
	}
}

func (l *Listen) check(c *adapters.OptionErrors) {
	if l.Address == "" {
		c.Refuse(l.TLS.Enabled(), "listen.tls", "has no effect without listen.address, such as :8443")
	} else {
		_, port, err := net.SplitHostPort(l.Address)
		if err == nil {
			_, err = strconv.ParseUint(port, 10, 16)
		}
		c.Refuse(err != nil, "listen.address", "%q is no address; write host:port or :port, such as :8443", l.Address)
	}
	l.TLS.Check(c, "listen.tls")
}

func (o *CloudEvents) check(c *adapters.OptionErrors) {
	const path = "cloudevents."
	c.OneOf(path+"mode", string(o.Mode), o.Mode.Values()...)
	adapters.Within(c, path+"max_batch", o.MaxBatch, 1, maxBatch)
	adapters.Within(c, path+"allowed_rate", o.AllowedRate, 0, maxRate)
	c.Refuse(o.Mode == modeOff && len(o.AllowedOrigins) > 0, path+"allowed_origins", "has no effect with mode: %s", modeOff)
	c.Refuse(o.AllowedRate > 0 && len(o.AllowedOrigins) == 0, path+"allowed_rate", "has no effect without allowed_origins")
	c.Refuse(len(o.AllowedOrigins) > maxOrigins, path+"allowed_origins", "it has more than %d", maxOrigins)
	for i, origin := range o.AllowedOrigins {
		bad := origin == "" || len(origin) > 253 || strings.ContainsFunc(origin, func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '/' || r == ',' })
		c.Refuse(bad, path+"allowed_origins["+strconv.Itoa(i)+"]", `%q is no name of a sender, such as eventgrid.azure.net, or "*" for all`, origin)
	}
}
