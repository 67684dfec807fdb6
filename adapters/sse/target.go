package sse

import (
	"errors"

	"sidestream/adapters"
	"sidestream/adapters/urltemplate"
)

// newTarget returns the template for the URL that is configured, or for that
// of the request if none is. Errors complain about the options "url" and
// "query".
func newTarget(o *Options, route adapters.Route) (*urltemplate.Template, error) {
	t, err := urltemplate.Parse(o.URL, o.Query, route)
	switch {
	case errors.Is(err, urltemplate.ErrNoUpstream):
		return nil, adapters.BadOption("url", "there is no upstream that it could go under; set upstream, or write it in full, such as http://127.0.0.1:3000/events")
	case errors.Is(err, urltemplate.ErrUserinfo):
		return nil, adapters.BadOption("url", "a URL must not hold a user name or a password, which would end up in logs; auth is for them")
	}
	return t, err
}
