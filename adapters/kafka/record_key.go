package kafka

import (
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"

	"sidestream/adapters"
)

// maxRecordKey is the longest key that records may be selected by, in bytes.
const maxRecordKey = 1024

// recordKey is the key of the records that are read, in which variables may
// stand.
type recordKey struct{ template template }

// parseRecordKey returns what the option "record_key" says, with the variables
// of route, or nil if it is empty: records of all keys are read.
func parseRecordKey(text string, route adapters.Route) (*recordKey, error) {
	const path = "record_key"
	if text == "" {
		return nil, nil
	}
	t, err := parseTemplate(text, true, route)
	if err != nil {
		return nil, &adapters.OptionError{Path: path, Err: err}
	}
	for _, p := range t {
		if err := checkKeyText(p.text); err != nil {
			return nil, &adapters.OptionError{Path: path, Err: err}
		}
	}
	return &recordKey{t}, nil
}

// expand returns the key for vars, which is not empty. Its errors are
// [adapters.ErrBadVariable].
func (k *recordKey) expand(vars adapters.Vars) ([]byte, error) {
	key, err := k.template.expand(vars, func(value string) error {
		if value == "" {
			return errEmpty
		}
		return checkKeyText(value)
	})
	if err == nil && len(key) > maxRecordKey {
		err = badVariable("key", errLong)
	}
	if err != nil {
		return nil, err
	}
	return []byte(key), nil
}

func checkKeyText(text string) error {
	switch {
	case len(text) > maxRecordKey:
		return errKeyLong
	case !utf8.ValidString(text):
		return errNoText
	case strings.ContainsFunc(text, unicode.IsControl):
		return errControl
	}
	return nil
}

var errKeyLong = errors.New("is longer than 1024 bytes")
