package sse

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"sidestream/adapters"
	"sidestream/adapters/httpclient"
)

// Bounds of options.
const (
	minWait   = 10 * time.Millisecond
	maxWait   = time.Hour
	minSettle = time.Millisecond
	maxSettle = time.Minute
	maxSize   = 1 << 30
	lineRoom  = 4 << 10
	maxTypes  = 100
	maxParam  = 100
)

// check returns an [adapters.OptionError] for each option whose value can't
// be used, joined. The URL is checked where it is parsed.
func (o *Options) check(route adapters.Route) error {
	var c adapters.OptionErrors
	o.Client.Check(&c)
	o.checkCredentials(&c)
	o.checkIDs(&c)
	o.checkTimes(&c)
	o.checkTypes(&c)
	c.Refuse(o.Always && len(route.Vars) > 0, "always", "the route has variables (%s), whose values only clients bring", strings.Join(route.Vars, ", "))
	c.Refuse(o.Always && len(o.Forward) > 0, "always", "the route forwards credentials, which only clients bring")
	c.Refuse(o.MaxEvent < 1 || o.MaxEvent > maxSize, "max_event", "%s is out of bounds; it is from 1 byte to %s", o.MaxEvent, adapters.Size(maxSize))
	c.Refuse(o.MaxLine < 0 || o.MaxLine > maxSize+lineRoom, "max_line", "%s is out of bounds; it is from 1 byte to 4KiB more than %s, or 0", o.MaxLine, adapters.Size(maxSize))
	return c.Err()
}

// checkCredentials complains of headers that are not for configuration to
// set, or that say nothing of who a client is.
func (o *Options) checkCredentials(c *adapters.OptionErrors) {
	configured := slices.Collect(maps.Keys(o.Client.Headers))
	for _, name := range configured {
		c.Refuse(http.CanonicalHeaderKey(name) == lastEventID, "headers."+name, "it is set where there is something to resume from")
	}
	for i, name := range o.Forward {
		path := fmt.Sprintf("forward[%d]", i)
		if err := httpclient.CheckHeader(name); err != nil {
			c.Refuse(true, path, "%v", err)
			continue
		}
		set := slices.ContainsFunc(configured, func(other string) bool { return strings.EqualFold(name, other) }) ||
			strings.EqualFold(name, "Authorization") && o.Client.Auth != (httpclient.Auth{})
		c.Refuse(set, path, "%s is configured too, and a client without it would be given what is for the configured one; leave out one of the two", name)
		own := slices.Contains([]string{"Accept", "Cache-Control", "Content-Type", "Host", lastEventID}, http.CanonicalHeaderKey(name))
		c.Refuse(own, path, "%s says nothing of who the client is; forward what does, such as Authorization or Cookie", name)
	}
}

func (o *Options) checkIDs(c *adapters.OptionErrors) {
	c.OneOf("ids", string(o.IDs), o.IDs.Values()...)
	_, twice := o.Query[o.LastEventIDParam]
	c.Refuse(o.LastEventIDParam != "" && twice, "last_event_id_param", "the query has that parameter already; leave it out of there")
	c.Refuse(len(o.LastEventIDParam) > maxParam, "last_event_id_param", "it is longer than %d bytes", maxParam)
}

func (o *Options) checkTimes(c *adapters.OptionErrors) {
	c.Refuse(o.ConnectTimeout <= 0, "connect_timeout", "%s is no time at all; a request needs a bound above 0", o.ConnectTimeout)
	adapters.Within(c, "settle", o.Settle, adapters.Duration(minSettle), adapters.Duration(maxSettle))
	adapters.Within(c, "min_retry", o.MinRetry, adapters.Duration(minWait), adapters.Duration(maxWait))
	adapters.Within(c, "max_retry", o.MaxRetry, adapters.Duration(minWait), adapters.Duration(maxWait))
	c.Refuse(o.MinRetry > o.MaxRetry, "max_retry", "%s is less than min_retry, %s", o.MaxRetry, o.MinRetry)
	c.Refuse(o.Retry < o.MinRetry || o.Retry > o.MaxRetry, "retry", "%s is out of bounds; it is from min_retry to max_retry, which are %s and %s", o.Retry, o.MinRetry, o.MaxRetry)
}

func (o *Options) checkTypes(c *adapters.OptionErrors) {
	c.Refuse(len(o.Types) > maxTypes, "types", "there are %d; the most is %d", len(o.Types), maxTypes)
	for _, from := range slices.Sorted(maps.Keys(o.Types)) {
		path := "types." + from
		c.Refuse(from == "", path, `events without a type have the type "message"; write that`)
		c.Type(path, o.Types[from])
	}
}
