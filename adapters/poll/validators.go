package poll

import (
	"net/http"
	"strings"
	"time"
)

// maxETag is the longest entity tag that is sent back, in bytes.
const maxETag = 1 << 10

// validators are what an upstream gave to ask whether a state still holds
// (RFC 9110, section 8.8). The zero value is none.
type validators struct {
	url      string // what they were given by, and are good for
	etag     string
	modified string
}

// validators returns those that came with the answer.
func (a *answer) validators() validators {
	v := validators{url: a.url}
	if etag := a.header.Get("ETag"); validETag(etag) {
		v.etag = etag
	}
	if modified := a.header.Get("Last-Modified"); strongDate(modified, a.header.Get("Date")) {
		v.modified = modified
	}
	return v
}

// validETag reports whether s is an entity tag, weak or strong, as RFC 9110,
// section 8.8.3, has it. Anything else could mean something else when it is
// sent back: If-None-Match: * matches every state.
func validETag(s string) bool {
	opaque, ok := strings.CutPrefix(strings.TrimPrefix(s, "W/"), `"`)
	opaque, closed := strings.CutSuffix(opaque, `"`)
	if !ok || !closed || len(s) > maxETag {
		return false
	}
	for i := range len(opaque) {
		if c := opaque[i]; c <= ' ' || c == '"' || c == 0x7f {
			return false
		}
	}
	return true
}

// strongDate reports whether a document was last modified at least a second
// before it was sent. Otherwise it may have changed once more in that very
// second, and asking by the date would never show it (RFC 9110, section
// 8.8.2.2).
func strongDate(modified, date string) bool {
	m, err := http.ParseTime(modified)
	if err != nil {
		return false
	}
	d, err := http.ParseTime(date)
	return err == nil && d.Sub(m) >= time.Second
}

// applyTo makes req conditional, if the validators are good for its URL. Other
// methods than GET have other answers to that (RFC 9110, section 13.1.2).
func (v validators) applyTo(req *http.Request) {
	if v.url != req.URL.String() || req.Method != http.MethodGet {
		return
	}
	if v.etag != "" {
		req.Header.Set("If-None-Match", v.etag)
	}
	if v.modified != "" {
		req.Header.Set("If-Modified-Since", v.modified)
	}
}

// conditional reports whether req asks whether a state still holds.
func conditional(req *http.Request) bool {
	return req.Header.Get("If-None-Match") != "" || req.Header.Get("If-Modified-Since") != ""
}
