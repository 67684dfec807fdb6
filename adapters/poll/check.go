package poll

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"

	"sidestream/adapters"
	"sidestream/adapters/httpclient"
	"sidestream/adapters/poll/payload"
)

// Bounds of options.
const (
	maxItems    = 1_000_000
	maxPages    = 1_000
	maxRemember = 1_000_000
)

// check returns an [adapters.OptionError] for each option whose value can't
// be used, joined. URL, expressions and pointers are checked where they are
// compiled.
func (o *Options) check(route adapters.Route) error {
	var c adapters.OptionErrors
	o.checkRequest(&c)
	o.checkPace(&c, route)
	o.Answer.Check(&c)
	o.checkEmit(&c)
	o.checkIncremental(&c, route)
	return c.Err()
}

func (o *Options) checkRequest(c *adapters.OptionErrors) {
	c.Refuse(!httpguts.ValidHeaderFieldName(o.Method) || o.Method != strings.ToUpper(o.Method) ||
		slices.Contains([]string{"HEAD", "CONNECT", "TRACE", "OPTIONS"}, o.Method),
		"method", "%q can't be polled; write GET, or POST where an API wants a body", o.Method)
	c.Refuse(o.Body != "" && o.Method == http.MethodGet, "body", "a GET request has no body; set method: POST, or what the API wants")
	c.Refuse(o.Timeout <= 0, "timeout", "%s is no time at all; a poll needs a bound above 0", o.Timeout)
	c.Refuse(o.ExpressionTimeout <= 0, "expression_timeout", "%s is no time at all; an expression needs a bound above 0", o.ExpressionTimeout)
	o.Client.Check(c)
	for i, name := range o.Forward {
		path := indexed("forward", i)
		if err := httpclient.CheckHeader(name); err != nil {
			c.Refuse(true, path, "%v", err)
			continue
		}
		configured := slices.ContainsFunc(slices.Collect(maps.Keys(o.Client.Headers)), func(other string) bool { return strings.EqualFold(name, other) }) ||
			strings.EqualFold(name, "Authorization") && o.Client.Auth != (httpclient.Auth{})
		c.Refuse(configured, path, "%s is configured too, and a client without it would be given what is for the configured one; leave out one of the two", name)
		own := slices.Contains([]string{"Accept", "Content-Type", "Host", "Last-Event-Id"}, http.CanonicalHeaderKey(name))
		c.Refuse(own, path, "%s says nothing of who the client is; forward what does, such as Authorization or Cookie", name)
	}
}

func (o *Options) checkPace(c *adapters.OptionErrors, route adapters.Route) {
	o.Every.Check("every", c)
	c.Fraction("jitter", float64(o.Jitter))
	o.Budget.Check("budget", c)
	c.Refuse(o.LongPoll && time.Duration(o.Every.Max) > time.Duration(o.Every.Min), "every", "a range has no place with long_poll, where the API decides when it answers")
	c.Refuse(o.Always && len(route.Vars) > 0, "always", "the route has variables (%s), whose values only clients bring", strings.Join(route.Vars, ", "))
	c.Refuse(o.Always && len(o.Forward) > 0, "always", "the route forwards credentials, which only clients bring")
}

func (o *Options) checkEmit(c *adapters.OptionErrors) {
	c.OneOf("emit", string(o.Emit), o.Emit.Values()...)
	c.Type("type", o.Type)
	fixed := o.Emit != emitSnapshot && o.Emit != emitRaw
	c.Refuse(o.Type != "" && fixed, "type", "emit: %s has types of its own; %s", o.Emit, o.typeHint())
	c.Refuse(!(o.MaxPatch > 0 && o.MaxPatch <= 1), "max_patch", "%v is not a part of the document, above 0 and up to 1", o.MaxPatch)
	c.Refuse(o.Emit == emitRaw && o.Select != "", "select", "emit: raw delivers the body as it came; leave this out, or emit something else")
	c.Refuse(o.Emit == emitRaw && o.paged(), "pages", "emit: raw delivers the body as it came, which is one page; emit something else")
	c.Refuse((o.Emit == emitRaw || o.Emit == emitAppend) && len(o.Ignore) > 0, "ignore", "has no effect with emit: %s", o.Emit)
	for i, text := range o.Ignore {
		c.Refuse(text == "", indexed("ignore", i), "is empty; write a JSON Pointer, such as /updated_at, or an expression, such as del(.meta)")
	}
	c.Refuse(len(o.ArrayKeys) > 0 && o.Emit != emitPatch, "array_keys", "has an effect with emit: patch only")

	d := defaults()
	changes := o.Emit == emitPatch || o.Emit == emitMerge || o.Emit == emitItems
	c.Refuse(o.MaxPatch != d.MaxPatch && !changes, "max_patch", "has no effect with emit: %s, which sends no changes", o.Emit)
	plain := o.Answer.Format == payload.Text || o.Answer.Format == payload.Bytes
	c.Refuse(plain && (changes || o.Emit == emitAppend) && o.Select == "", "format", "emit: %s needs JSON, or a select that makes it of %s", o.Emit, o.Answer.Format)
	c.Refuse(plain && len(o.Ignore) > 0 && o.Select == "", "ignore", "has no effect with format: %s", o.Answer.Format)
	lists := o.Items.Order != d.Items.Order || o.Items.Start != d.Items.Start || o.Items.Remember != d.Items.Remember
	c.Refuse(o.Emit == emitItems && lists, "items", "order, start and remember have an effect with emit: append only")

	items := o.Emit == emitItems || o.Emit == emitAppend
	c.Refuse(items && o.Items.Key == "", "items.key", "is needed with emit: %s: an expression for what tells an item from the others, such as .id", o.Emit)
	c.Refuse(!items && o.Items.used(), "items", "has an effect with emit: items and emit: append only")
	c.Refuse(o.Items.Max < 1 || o.Items.Max > maxItems, "items.max", "%d is out of bounds; it is from 1 to %d", o.Items.Max, maxItems)
	c.Refuse(o.Items.Remember < 1 || o.Items.Remember > maxRemember, "items.remember", "%d is out of bounds; it is from 1 to %d", o.Items.Remember, maxRemember)
	c.OneOf("items.order", string(o.Items.Order), o.Items.Order.Values()...)
	c.OneOf("items.start", string(o.Items.Start), o.Items.Start.Values()...)
}

func (o *Options) typeHint() string {
	switch o.Emit {
	case emitItems, emitAppend:
		return "items.type is an expression for them"
	default:
		return "the route's event.type can change them"
	}
}

// used reports whether anything about items was configured.
func (i Items) used() bool { return i != defaults().Items }

// asksByCursor reports whether requests have the cursor in them.
func (o *Options) asksByCursor() bool {
	has := func(text string) bool { return strings.Contains(text, "{"+cursorVar+"}") }
	return has(o.URL) || slices.ContainsFunc(slices.Collect(maps.Values(o.Query)), has) || strings.Contains(o.Body, "$"+cursorVar)
}

func (o *Options) paged() bool { return o.Pages.Next != "" || o.Pages.Param != "" }

func (o *Options) checkIncremental(c *adapters.OptionErrors, route adapters.Route) {
	c.Refuse(o.Cursor.Next == "" && o.Cursor.Start != "", "cursor.next", "is needed: an expression for the cursor of an answer, such as .next_cursor")
	c.Refuse(o.Cursor.Next != "" && slices.Contains(route.Vars, cursorVar), "cursor", "the route has a variable {%s}, which is the cursor's own name; call it something else", cursorVar)
	p, d := o.Pages, defaults().Pages
	c.Refuse(!o.paged() && p != d, "pages", "there is no telling which page comes next; set next or param")
	c.Refuse(o.Cursor.Next != "" && !o.asksByCursor(), "cursor", "no request has it; write {cursor} in url or query, or $cursor in body")
	c.Refuse(o.Pages.Max < 1 || o.Pages.Max > maxPages, "pages.max", "%d is out of bounds; it is from 1 to %d", o.Pages.Max, maxPages)
	c.Refuse(o.Pages.Next == nextLink && o.Pages.Param != "", "pages.param", "has no effect with next: link, which is a whole URL")
	c.Refuse(o.Pages.Step == 0, "pages.step", "with steps of 0, each page would be the first one")
}
