package poll

import (
	"errors"
	"maps"
	"net/url"
	"slices"

	"sidestream/adapters"
	"sidestream/adapters/urltemplate"
)

// cursorVar is the name of the variable that stands for the cursor.
const cursorVar = "cursor"

// A template makes the URL of a request out of a source's variables and the
// cursor.
type template struct {
	urls   *urltemplate.Template
	cursor string // the first one
}

// newTemplate returns the template for the URL that is configured, or for
// that of the request if none is. Errors complain about the options "url" and
// "query".
func newTemplate(o *Options, route adapters.Route) (*template, error) {
	incremental := o.Cursor.Next != ""
	if incremental {
		route.Vars = append(slices.Clone(route.Vars), cursorVar)
	}
	urls, err := urltemplate.Parse(o.URL, o.Query, route)
	if err != nil {
		return nil, noCursor(err)
	}
	if incremental && o.Cursor.Start == "" && urls.InPath(cursorVar) {
		return nil, adapters.BadOption("url", "with {cursor} in its path, the first request needs one too; set cursor.start")
	}
	return &template{urls: urls, cursor: o.Cursor.Start}, nil
}

// noCursor words err anew if it is that there is no cursor.
func noCursor(err error) error {
	unknown, isUnknown := errors.AsType[*urltemplate.UnknownError](err)
	option, isOption := errors.AsType[*adapters.OptionError](err)
	if !isUnknown || !isOption || unknown.Name != cursorVar {
		return err
	}
	return adapters.BadOption(option.Path, "there is no cursor; set cursor, an expression for the next one, such as .next")
}

// origin is the scheme and host, such as "http://127.0.0.1:3000".
func (t *template) origin() string { return t.urls.Origin() }

// check returns an error, [adapters.ErrBadVariable], if vars can't be in a URL.
func (t *template) check(vars adapters.Vars) error {
	_, err := t.expand(vars, t.cursor)
	return err
}

// expand returns the URL for vars and a cursor; an empty one is none. An
// error is [adapters.ErrBadVariable].
func (t *template) expand(vars adapters.Vars, cursor string) (*url.URL, error) {
	if cursor != "" {
		vars = maps.Clone(vars)
		if vars == nil {
			vars = adapters.Vars{}
		}
		vars[cursorVar] = cursor
	}
	return t.urls.Expand(vars)
}
