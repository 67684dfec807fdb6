package webhook

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"

	"sidestream/adapters"
	"sidestream/adapters/webhook/verify"
)

// structured returns the event of a request whose body is a CloudEvent in JSON.
func (f *factory) structured(h http.Header, body []byte, facts verify.Facts) ([]adapters.Event, error) {
	dec, err := newJSONReader(body)
	if err != nil {
		return nil, malformed(err)
	}
	e, err := dec.event()
	if err != nil {
		return nil, malformed(err)
	}
	e.ID = cmp.Or(facts.ID, e.ID)
	e.Headers = f.public(h)
	return []adapters.Event{e}, nil
}

// batch returns the events of a request whose body is a batch of CloudEvents in
// JSON. The headers are the request's, and none of theirs.
func (f *factory) batch(body []byte) ([]adapters.Event, error) {
	dec, err := newJSONReader(body)
	if err != nil {
		return nil, malformed(err)
	}
	if err := dec.open('[', "array"); err != nil {
		return nil, malformed(err)
	}
	var events []adapters.Event
	for dec.More() {
		if most := f.options.CloudEvents.MaxBatch; len(events) == most {
			return nil, refuse(http.StatusRequestEntityTooLarge, "the batch has more than %d events", most)
		}
		e, err := dec.event()
		if err != nil {
			return nil, malformed(fmt.Errorf("[%d]: %w", len(events), err))
		}
		events = append(events, e)
	}
	return events, nil
}

// A jsonReader reads CloudEvents in what is known to be one JSON value. Names are taken as they are, in upper and
// lower case, and not twice, so that all who read the same body see the same.
type jsonReader struct{ *json.Decoder }

var errNotJSON = errors.New("it is not JSON in UTF-8")

func newJSONReader(body []byte) (jsonReader, error) {
	body, err := jsonOf(body)
	if err != nil {
		return jsonReader{}, errNotJSON
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	return jsonReader{dec}, nil
}

// open reads the beginning of an array or object.
func (r jsonReader) open(delim json.Delim, what string) error {
	if token, err := r.Token(); err != nil || token != delim {
		return fmt.Errorf("it is no JSON %s", what)
	}
	return nil
}

// event reads one CloudEvent.
func (r jsonReader) event() (adapters.Event, error) {
	if err := r.open('{', "object"); err != nil {
		return adapters.Event{}, err
	}
	var (
		known   = make(attributes)
		payload = make(map[string]json.RawMessage) // data and data_base64
		unset   = make(map[string]bool)
	)
	for r.More() {
		token, err := r.Token()
		if err != nil {
			return adapters.Event{}, errNotJSON
		}
		name, _ := token.(string)
		_, twice := known[name]
		if _, ok := payload[name]; ok || twice || unset[name] {
			return adapters.Event{}, fmt.Errorf("%q is there twice", clip(name))
		}
		if name == "data" || name == "data_base64" {
			var raw json.RawMessage
			if err := r.Decode(&raw); err != nil {
				return adapters.Event{}, errNotJSON
			}
			payload[name] = raw
			continue
		}
		var value any
		if err := r.Decode(&value); err != nil {
			return adapters.Event{}, errNotJSON
		}
		if value == nil && len(unset) < maxAttributes { // as if it were not there
			unset[name] = true
			continue
		}
		if err := known.put(name, value); err != nil {
			return adapters.Event{}, err
		}
	}
	if _, err := r.Token(); err != nil { // the end of the object
		return adapters.Event{}, errNotJSON
	}
	e, err := known.event()
	if err != nil {
		return adapters.Event{}, err
	}
	e.Data, err = dataOf(payload, known.text("datacontenttype"))
	return e, err
}

// dataOf returns the data of a CloudEvent in JSON (JSON format, section 3.1.2):
// bytes in base64, a text if it is not of a JSON type, or JSON.
func dataOf(payload map[string]json.RawMessage, contentType string) ([]byte, error) {
	data, plain := payload["data"]
	encoded, binary := payload["data_base64"]
	switch {
	case plain && binary:
		return nil, errors.New("it has both data and data_base64")
	case binary && string(encoded) == "null", !plain && !binary:
		return nil, nil
	case binary:
		var decoded []byte
		if encoded[0] != '"' || json.Unmarshal(encoded, &decoded) != nil {
			return nil, errors.New("data_base64 is no text in base64")
		}
		return decoded, nil
	}
	media, _, err := mime.ParseMediaType(cmp.Or(contentType, "application/json"))
	if err != nil && !errors.Is(err, mime.ErrInvalidMediaParameter) {
		return nil, errors.New("the attribute datacontenttype is no media type")
	}
	if isJSON(media) || data[0] != '"' {
		return data, nil
	}
	var text string
	if err := json.Unmarshal(data, &text); err != nil {
		return nil, errNotJSON
	}
	return []byte(text), nil
}
