package webhook

import (
	"errors"
	"mime"
	"net/http"
	"slices"
	"strings"
)

// content is what a request says of its body.
type content struct {
	media   string // the media type in lower case; empty if there is none
	charset string // empty if there is none
	gzip    bool
}

// contentOf returns what h says of a body, if such bodies are taken.
func (f *factory) contentOf(h http.Header) (content, error) {
	var c content
	switch coding := strings.ToLower(strings.Join(h.Values("Content-Encoding"), ", ")); coding {
	case "", "identity":
	case "gzip", "x-gzip":
		c.gzip = true
	default:
		return content{}, refuse(http.StatusUnsupportedMediaType, "bodies may be compressed with gzip only").with("Accept-Encoding", "gzip")
	}
	if value := h.Get("Content-Type"); value != "" {
		media, params, err := mime.ParseMediaType(value)
		if err != nil && !errors.Is(err, mime.ErrInvalidMediaParameter) {
			return content{}, refuse(http.StatusUnsupportedMediaType, "the header Content-Type has no media type")
		}
		c.media, c.charset = media, strings.ToLower(params["charset"])
	}
	if !f.takes(c.media) {
		types := strings.ToLower(strings.Join(f.options.ContentTypes, ", "))
		return content{}, refuse(http.StatusUnsupportedMediaType, "the content type has to be %s", types).with("Accept", types)
	}
	return c, nil
}

// takes reports whether bodies of a media type are taken.
func (f *factory) takes(media string) bool {
	types := f.options.ContentTypes
	return len(types) == 0 || slices.ContainsFunc(types, func(t string) bool {
		t = strings.ToLower(t)
		if class, ok := strings.CutSuffix(t, "*"); ok {
			return strings.HasPrefix(media, class)
		}
		return media == t
	})
}

// format says how a body of this content is read by itself.
func (c content) format() Format {
	switch {
	case isJSON(c.media):
		return formatJSON
	case c.media == "application/x-www-form-urlencoded":
		return formatForm
	case strings.HasPrefix(c.media, "text/"):
		return formatText
	default:
		return formatBytes
	}
}

// isJSON reports whether a media type, in lower case, is JSON (RFC 8259) or
// something written in it (RFC 6839, section 3.1).
func isJSON(media string) bool {
	return strings.HasSuffix(media, "/json") || strings.HasSuffix(media, "+json")
}
