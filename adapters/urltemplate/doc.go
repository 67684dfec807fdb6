// Package urltemplate makes the URLs of an adapter's requests out of a URL that
// is configured, or that of the route, and of a source's variables.
//
// # Variables
//
// A URL may hold variables in its path and in the values of its query:
// "{name}" stands for one segment, part of a segment, or (part of) a value, and
// "{name...}", as the last segment, for all that remain. What a [Template]
// makes differs from the configured text in these places only: a value can't
// reach beyond its segment or query value, whatever a client sends, and never
// has a say in the scheme or the host. A query pair is left out if one of its
// variables is absent.
//
// Between the variables, what may not stand in a URL is escaped, and what is
// escaped already is left alone (RFC 3986, section 2.4). The values of the
// option "query" are plain text, of which everything is escaped that would be
// more than text.
//
// # Errors
//
// An error of [Parse] shows no more of a URL than names, hosts and segments of
// dots, since the rest may hold keys.
package urltemplate
