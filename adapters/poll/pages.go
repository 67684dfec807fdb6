package poll

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"sidestream/adapters/poll/payload"
	"sidestream/adapters/urltemplate"
)

// follow returns the request for the page after pg, which is the nth, or nil
// if it is the last.
func (p *poller) follow(ctx context.Context, pg page, s *scope, n int) (*http.Request, error) {
	o := p.options.Pages
	var target string
	switch {
	case o.Next == nextLink:
		target = linkNext(pg.answer.header.Values("Link"))
	case p.code.next != nil:
		var err error
		if target, err = word(ctx, p.code.next, "pages.next", pg.value, s.values()); err != nil {
			return nil, err
		}
	case !pg.nothing && !bytes.Equal(pg.doc.data, []byte("[]")):
		target = strconv.Itoa(o.First + n*o.Step)
	}
	if target == "" {
		return nil, nil //nolint:nilnil // the last page
	}
	req, err := p.request(ctx, s)
	if err != nil {
		return nil, err
	}
	here, err := url.Parse(pg.answer.url)
	if err != nil {
		return nil, fmt.Errorf("%w: its URL can't be read", payload.ErrUnreadable)
	}
	next := req.URL
	if o.Param != "" {
		next.RawQuery = withPair(next.RawQuery, o.Param, target)
	} else if next, err = p.sameHost(here, target); err != nil {
		return nil, err
	}
	if s.visited == nil {
		s.visited = map[string]bool{pg.answer.url: true}
	}
	if s.visited[next.String()] {
		return nil, errPageLoop
	}
	s.visited[next.String()] = true
	req.URL, req.Host = next, next.Host
	return req, nil
}

// sameHost resolves a link to the next page, from a page that may have come
// after redirects. It has to lead to the very host that is configured, or to
// where that has redirected to https on itself: another one would get the
// route's credentials.
func (p *poller) sameHost(here *url.URL, link string) (*url.URL, error) {
	next, err := here.Parse(link)
	if err != nil || next.User != nil {
		return nil, errPageElsewhere
	}
	origin, err := url.Parse(p.target.origin())
	if err != nil {
		return nil, errPageElsewhere
	}
	upgraded := origin.Scheme == "http" && here.Scheme == "https" && strings.EqualFold(here.Hostname(), origin.Hostname())
	if to := urltemplate.Origin(next); to != p.target.origin() && !(upgraded && to == urltemplate.Origin(here)) {
		return nil, errPageElsewhere
	}
	next.Fragment = ""
	return next, nil
}

// withPair returns a query in which name has the one value given.
func withPair(query, name, value string) string {
	var kept []string
	for pair := range strings.SplitSeq(query, "&") {
		key, _, _ := strings.Cut(pair, "=")
		if plain, err := url.QueryUnescape(key); pair != "" && (err != nil || plain != name) {
			kept = append(kept, pair)
		}
	}
	return strings.Join(append(kept, url.QueryEscape(name)+"="+url.QueryEscape(value)), "&")
}

// linkNext returns the target of the link with the relation "next", or "" if
// there is none (RFC 8288, section 3).
func linkNext(fields []string) string {
	for _, field := range fields {
		for field != "" {
			_, rest, ok := strings.Cut(field, "<")
			if !ok {
				break
			}
			target, params, ok := strings.Cut(rest, ">")
			if !ok {
				break
			}
			next, after := linkParams(params)
			if target = strings.TrimSpace(target); next && target != "" {
				return target
			}
			field = after
		}
	}
	return ""
}

// linkParams reads the parameters of a link up to the next link. It reports
// whether one says that the relation is "next".
func linkParams(s string) (next bool, after string) {
	for {
		s = strings.TrimLeft(s, " \t")
		if !strings.HasPrefix(s, ";") {
			_, after, _ = strings.Cut(s, ",")
			return next, after
		}
		s = strings.TrimLeft(s[1:], " \t")
		i := strings.IndexAny(s, "=;,")
		if i < 0 {
			return next, ""
		}
		name := strings.TrimSpace(s[:i])
		if s[i] != '=' {
			s = s[i:]
			continue
		}
		var value string
		value, s = linkValue(strings.TrimLeft(s[i+1:], " \t"))
		if strings.EqualFold(name, "rel") {
			for rel := range strings.FieldsSeq(value) {
				next = next || strings.EqualFold(rel, "next")
			}
		}
	}
}

// linkValue takes a token or a quoted string off s.
func linkValue(s string) (value, rest string) {
	if !strings.HasPrefix(s, `"`) {
		i := strings.IndexAny(s, ";,")
		if i < 0 {
			return s, ""
		}
		return s[:i], s[i:]
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '"':
			return b.String(), s[i+1:]
		case '\\':
			i++
		}
		if i < len(s) {
			b.WriteByte(s[i])
		}
	}
	return b.String(), ""
}
