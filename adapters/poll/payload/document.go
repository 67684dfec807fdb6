package payload

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// A Document is what a body stands for.
type Document struct {
	// JSON says that Data is one JSON text in UTF-8, though not a canonical
	// one. Otherwise it is text or bytes.
	JSON bool

	// Data may share memory with the body.
	Data []byte
}

// Document makes a document of a body that came with the given Content-Type,
// which may be empty. An error is [ErrUnreadable] or [ErrTooLarge].
func (o *Options) Document(contentType string, body []byte) (Document, error) {
	media, charset := parseType(contentType)
	found := formatOf(media)
	if o.Format == Auto {
		return o.read(found, media, charset, body)
	}
	doc, err := o.read(o.Format, media, charset, body)
	if errors.Is(err, ErrUnreadable) && o.Format != Text && o.Format != found && isMedia(media) {
		err = fmt.Errorf("%w; it is %s", err, media)
	}
	return doc, err
}

// read reads a body as f.
func (o *Options) read(f Format, media, charset string, body []byte) (Document, error) {
	if f == Auto {
		return perhapsJSON(media, charset, body)
	}
	if f == Bytes {
		return Document{Data: body}, nil
	}
	data, err := decodeFor(f, charset, body)
	if err == nil {
		data, err = o.convert(f, data)
	}
	switch {
	case errors.Is(err, ErrTooLarge):
		return Document{}, err
	case err != nil:
		return Document{}, fmt.Errorf("%w: %w", ErrUnreadable, err)
	}
	return Document{JSON: f != Text, Data: data}, nil
}

// decodeFor returns a body in UTF-8, given its format.
func decodeFor(f Format, charset string, body []byte) ([]byte, error) {
	switch f {
	case JSON, NDJSON:
		return jsonText(charset, body)
	case XMLFormat:
		return xmlText(charset, body)
	default:
		return plainText(charset, body)
	}
}

// convert makes JSON of every format but text.
func (o *Options) convert(f Format, text []byte) ([]byte, error) {
	switch f {
	case JSON:
		return text, checkJSON(text)
	case NDJSON:
		return ndjson(text)
	case CSVFormat:
		return o.csv(text)
	case XMLFormat:
		return o.xml(text)
	default:
		return text, nil
	}
}

// perhapsJSON reads a body whose type leaves it open what it is.
func perhapsJSON(media, charset string, body []byte) (Document, error) {
	if text, err := jsonText(charset, body); err == nil {
		start := bytes.TrimLeft(text, space)
		if len(start) > 0 && (start[0] == '{' || start[0] == '[') && json.Valid(text) {
			return Document{JSON: true, Data: text}, nil
		}
	}
	if media == "" {
		return Document{Data: body}, nil
	}
	text, err := plainText(charset, body)
	switch {
	case errors.Is(err, errUTF8):
		text = body
	case err != nil:
		return Document{}, fmt.Errorf("%w: %w", ErrUnreadable, err)
	}
	return Document{Data: text}, nil
}

// errExpanded says that JSON made of another format outgrows expanded.
var errExpanded = fmt.Errorf("%w: as JSON it is more than 8 times max_body", ErrTooLarge)

// expanded returns how long JSON that is made of another format may be.
func (o *Options) expanded() int64 { return 8 * int64(o.MaxBody) }

// formatOf returns what a media type stands for, Auto if that is open.
func formatOf(media string) Format {
	switch media {
	case "application/json", "text/json":
		return JSON
	case "application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonl",
		"application/jsonlines", "application/x-jsonlines", "application/json-seq":
		return NDJSON
	case "text/csv":
		return CSVFormat
	case "application/xml", "text/xml":
		return XMLFormat
	}
	switch {
	case strings.HasSuffix(media, "+json"):
		return JSON
	case strings.HasSuffix(media, "+json-seq"): // RFC 8091
		return NDJSON
	case strings.HasSuffix(media, "+xml"):
		return XMLFormat
	case media == "", strings.HasPrefix(media, "text/"):
		return Auto
	default:
		return Bytes
	}
}

// parseType returns the media type in a Content-Type, in lower case, and its
// charset parameter. It bears with parameters that break RFC 9110, as
// clients have to.
func parseType(contentType string) (media, charset string) {
	media, params, _ := strings.Cut(contentType, ";")
	for param := range strings.SplitSeq(params, ";") {
		name, value, _ := strings.Cut(param, "=")
		if charset == "" && strings.EqualFold(strings.TrimSpace(name), "charset") {
			charset = strings.Trim(value, "\"' \t")
		}
	}
	return strings.ToLower(strings.TrimSpace(media)), charset
}

// isMedia reports whether media may be shown: it is short, and all of it is
// what a media type is made of (RFC 6838, section 4.2).
func isMedia(media string) bool {
	kind, subtype, _ := strings.Cut(media, "/")
	return len(media) <= 80 && isRestricted(kind) && isRestricted(subtype)
}

func isRestricted(name string) bool {
	const allowed = "abcdefghijklmnopqrstuvwxyz0123456789!#$&-^_.+"
	return name != "" && strings.Trim(name, allowed) == ""
}
