package webhook

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/htmlindex"

	"sidestream/adapters"
	"sidestream/adapters/webhook/verify"
)

// events returns what a request brings, complete but for what concerns a type
// that it may not have. An error is a [refusal].
func (f *factory) events(r *http.Request, c content, body []byte, facts verify.Facts) ([]adapters.Event, error) {
	events, err := f.decode(r.Header, c, body, facts)
	if err != nil {
		return nil, err
	}
	for i := range events {
		e := &events[i]
		if f.options.Dedupe.Window == 0 {
			e.ID = "" // nor is anybody else to take it for another
		}
		switch {
		case f.options.Type != "":
			e.Type = f.options.Type
		case f.options.TypeHeader != "" && r.Header.Get(f.options.TypeHeader) != "":
			e.Type = r.Header.Get(f.options.TypeHeader)
		case facts.Type != "":
			e.Type = facts.Type
		}
		if err := adapters.CheckType(e.Type); err != nil {
			return nil, refuse(http.StatusBadRequest, "the event's type can't be used: %s", clip(err.Error()))
		}
	}
	return events, nil
}

// decode returns the events of a request, with types if it is CloudEvents.
func (f *factory) decode(h http.Header, c content, body []byte, facts verify.Facts) ([]adapters.Event, error) {
	mode := f.options.CloudEvents.Mode
	if mode == modeOff {
		return f.plain(h, c, body, facts)
	}
	switch {
	case c.media == mediaEvent:
		return f.structured(h, body, facts)
	case c.media == mediaBatch:
		return f.batch(body)
	case strings.HasPrefix(c.media, mediaPrefix):
		return nil, refuse(http.StatusUnsupportedMediaType, "of the formats of CloudEvents only JSON is understood").
			with("Accept", mediaEvent+", "+mediaBatch)
	case isBinary(h):
		return f.binary(h, c, body, facts)
	case mode == modeRequire:
		return nil, refuse(http.StatusUnsupportedMediaType, "only CloudEvents are taken").
			with("Accept", mediaEvent+", "+mediaBatch)
	default:
		return f.plain(h, c, body, facts)
	}
}

// plain returns the event of a request that says nothing more of it.
func (f *factory) plain(h http.Header, c content, body []byte, facts verify.Facts) ([]adapters.Event, error) {
	data, err := f.payload(c, body)
	if err != nil {
		return nil, err
	}
	e := adapters.Event{ID: facts.ID, Data: data, Headers: f.public(h)}
	if facts.ID != "" {
		e.Meta = map[string]any{"id": facts.ID}
	}
	return []adapters.Event{e}, nil
}

// payload returns an event's data: the body, in the form that the options ask
// for. It may be the body itself.
func (f *factory) payload(c content, body []byte) ([]byte, error) {
	format := f.options.Format
	if format == formatAuto {
		format = c.format()
	}
	switch format {
	case formatJSON:
		return jsonOf(body)
	case formatForm:
		return formOf(body)
	case formatText:
		return textOf(c.charset, body)
	case formatAuto, formatBytes:
	}
	return body, nil
}

// jsonOf returns body if it is JSON, without a byte order mark, which others
// can't be expected to ignore (RFC 8259, section 8.1).
func jsonOf(body []byte) ([]byte, error) {
	body = bytes.TrimPrefix(body, byteOrderMark)
	if !utf8.Valid(body) || !json.Valid(body) {
		return nil, refuse(http.StatusBadRequest, "the body is not JSON in UTF-8")
	}
	return body, nil
}

var byteOrderMark = []byte("\ufeff")

// formOf returns the fields of a form as a JSON object: a text for a field
// that is there once, an array of them for one that is there several times.
func formOf(body []byte) ([]byte, error) {
	broken := refuse(http.StatusBadRequest, "the body is not a form in UTF-8 (application/x-www-form-urlencoded)")
	fields, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, broken.because(errors.New("it can't be parsed")) // err may quote it
	}
	object := make(map[string]any, len(fields))
	for name, values := range fields {
		if !utf8.ValidString(name) || !utf8.ValidString(strings.Join(values, "")) {
			return nil, broken
		}
		if len(values) == 1 {
			object[name] = values[0]
		} else {
			object[name] = values
		}
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(object); err != nil {
		return nil, broken.because(err)
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), nil
}

// textOf returns a text in a charset (the name of one, or "" for UTF-8) as
// UTF-8.
func textOf(charset string, body []byte) ([]byte, error) {
	if charset == "" || charset == "utf-8" {
		body = bytes.TrimPrefix(body, byteOrderMark)
		if !utf8.Valid(body) {
			return nil, refuse(http.StatusBadRequest, "the body is not text in UTF-8; another charset has to be named in Content-Type")
		}
		return body, nil
	}
	encoding, err := htmlindex.Get(charset)
	if err != nil {
		return nil, refuse(http.StatusUnsupportedMediaType, "the charset in Content-Type is not known")
	}
	text, err := encoding.NewDecoder().Bytes(body)
	if err != nil || bytes.ContainsRune(text, utf8.RuneError) {
		return nil, refuse(http.StatusBadRequest, "the body is not text in the charset of its Content-Type").because(err)
	}
	return bytes.TrimPrefix(text, byteOrderMark), nil
}

// clip returns at most so much of a message as one wants to read.
func clip(message string) string {
	const most = 200
	if len(message) <= most {
		return message
	}
	return strings.ToValidUTF8(message[:most], "") + "…"
}
