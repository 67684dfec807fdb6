package httpclient

import (
	"crypto/tls"
	"errors"
	"strings"

	"sidestream/adapters"
)

// What ends a chain of redirects. Each is transient, with its text as the
// reason that clients may see.
var (
	ErrRedirects = adapters.Transient("upstream redirected too often", nil)
	ErrElsewhere = adapters.Transient("upstream redirected elsewhere", nil)
)

// reasonToken is what clients are told when there is no token to be had.
const reasonToken = "token endpoint failed"

var (
	errBody   = errors.New("the request's body can't be sent a second time, as a redirect asks for")
	errAnswer = errors.New("the peer's answer breaks the rules of HTTP")
)

// quoteless returns an error of a transport fit for logs. net/http puts what
// a peer has sent in quotes: a broken line, the text that an HTTP/2 server
// says goodbye with. Of such errors nothing is kept, except those about
// certificates. The project's own are as they should be.
func quoteless(err error) error {
	var own *adapters.UpstreamError
	if errors.As(err, &own) {
		return own
	}
	err = adapters.Quoteless(err)
	var cert *tls.CertificateVerificationError
	if !errors.As(err, &cert) && strings.Contains(err.Error(), `"`) {
		return errAnswer
	}
	return err
}
