package registry

import (
	"errors"

	"github.com/go-json-experiment/json/jsontext"
)

// A jsonDecoder passes JSON on as it is.
type jsonDecoder struct{}

func (jsonDecoder) decode(f frame, limit int) ([]byte, error) {
	switch {
	case len(f.data) > limit:
		return nil, errTooLarge
	case !jsontext.Value(f.data).IsValid(jsontext.AllowDuplicateNames(true)):
		return nil, errJSON
	}
	return f.data, nil
}

var errJSON = errors.New("it is not one JSON text in UTF-8")
