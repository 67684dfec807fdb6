package broker

import (
	"context"
	"errors"
	"strings"

	"github.com/segmentio/kafka-go/sasl"
	"github.com/segmentio/kafka-go/sasl/plain"
	"github.com/segmentio/kafka-go/sasl/scram"

	"sidestream/adapters"
	"sidestream/adapters/secret"
)

// mechanism returns the mechanism with the credentials as they are now.
func (s *SASL) mechanism(ctx context.Context) (sasl.Mechanism, error) {
	if s.Mechanism == OAuthBearer {
		return s.bearer(ctx)
	}
	user, err := s.User.Read()
	if err != nil {
		return nil, err
	}
	password, err := s.Password.Read()
	if err != nil {
		return nil, err
	}
	switch s.Mechanism {
	case ScramSHA256:
		return s.scram(scram.SHA256, user, password)
	case ScramSHA512:
		return s.scram(scram.SHA512, user, password)
	default:
		if strings.Contains(user+password, "\x00") { // RFC 4616, section 2
			return nil, s.unusable(errors.New("user or password holds a NUL, which PLAIN has no way to say"))
		}
		return plain.Mechanism{Username: user, Password: password}, nil
	}
}

func (s *SASL) unusable(err error) error {
	return &adapters.UpstreamError{Reason: secret.ReasonUnavailable, Permanent: !s.replaceable(), Err: err}
}
