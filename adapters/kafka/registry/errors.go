package registry

import (
	"errors"
	"fmt"
)

// A PayloadError says why a payload can't be decoded, now or later: it isn't
// framed as serializers with a registry do, the registry doesn't have its
// schema, the schema can't be used, or the payload isn't what the schema says.
// Its text holds nothing of the payload but the schema's id.
type PayloadError struct {
	Schema string // the id or GUID of its schema; "" if it has none
	Err    error
}

func (e *PayloadError) Error() string {
	if e.Schema == "" {
		return e.Err.Error()
	}
	return "schema " + e.Schema + ": " + e.Err.Error()
}

func (e *PayloadError) Unwrap() error { return e.Err }

// unframed returns the PayloadError of a payload that names no schema.
func unframed(format string, args ...any) error {
	return &PayloadError{Err: fmt.Errorf(format, args...)}
}

// An unusableError says why a schema can't be had or used. It is the reason of
// a PayloadError.
type unusableError struct{ error }

func (e unusableError) Unwrap() error { return e.error }

// unusable returns an unusableError with a formatted message.
func unusable(format string, args ...any) error {
	return unusableError{fmt.Errorf(format, args...)}
}

// What can be wrong with a payload of any format.
var (
	errTooLarge = errors.New("its JSON would be larger than max_json allows")
	errTooDeep  = fmt.Errorf("it nests more than %d levels deep", maxDepth)
	errEnds     = errors.New("it ends too early")
	errTrailing = errors.New("there are bytes behind its end")
	errUTF8     = errors.New("a string in it isn't UTF-8")
)

// maxDepth is how deep values may nest.
const maxDepth = 500
