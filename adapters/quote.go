package adapters

import (
	"errors"
	"net/textproto"
	"net/url"
	"strings"
)

// Quoteless returns err fit for a log: without the URL that net/http and
// net/url put in front, which may hold secrets, and without the parts of a
// message that they quote when a peer breaks the protocol. An error of
// another kind is returned as it is.
func Quoteless(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	var p textproto.ProtocolError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &p), strings.Contains(err.Error(), "malformed"):
		return errMalformed
	default:
		return err
	}
}

var errMalformed = errors.New("the peer's answer is not well-formed HTTP")
