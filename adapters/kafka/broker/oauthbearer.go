package broker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/sasl"

	"sidestream/adapters"
)

// bearer returns OAUTHBEARER with a token as it is now.
func (s *SASL) bearer(ctx context.Context) (sasl.Mechanism, error) {
	token, err := s.Token(ctx)
	var known *adapters.UpstreamError
	switch {
	case errors.As(err, &known):
		return nil, err
	case err != nil:
		return nil, s.unusable(err)
	case token == "" || strings.ContainsFunc(token, outsideToken):
		return nil, s.unusable(errors.New("the token is not one of RFC 6750"))
	}
	return &bearerMechanism{token: token, extensions: s.Extensions}, nil
}

// outsideToken reports whether r can't be in a bearer token: RFC 6750, section
// 2.1, but without its order, as some tokens of the field don't keep to it.
func outsideToken(r rune) bool { return r <= ' ' || r > '~' || r == ',' }

// A bearerMechanism is OAUTHBEARER (RFC 7628).
type bearerMechanism struct {
	token      string
	extensions map[string]string
}

// Name implements [sasl.Mechanism].
func (*bearerMechanism) Name() string { return "OAUTHBEARER" }

// separator stands between and behind the parts of a client's message
// (RFC 7628, section 3.1).
const separator = "\x01"

// Start implements [sasl.Mechanism].
func (m *bearerMechanism) Start(context.Context) (sasl.StateMachine, []byte, error) {
	var b strings.Builder
	b.WriteString("n,," + separator + "auth=Bearer " + m.token + separator)
	for _, key := range slices.Sorted(maps.Keys(m.extensions)) {
		b.WriteString(key + "=" + m.extensions[key] + separator)
	}
	b.WriteString(separator)
	return &bearerState{}, []byte(b.String()), nil
}

// A bearerState is what a conversation has come to.
type bearerState struct {
	refusal error // nil: none yet
}

// Next implements [sasl.StateMachine]. A challenge is a refusal, which has to be
// answered so that the server can end the conversation (RFC 7628, section
// 3.2.3). Kafka does so with an error code; its end without one is none.
func (s *bearerState) Next(_ context.Context, challenge []byte) (bool, []byte, error) {
	switch {
	case s.refusal != nil:
		return false, nil, s.refusal
	case len(challenge) == 0:
		return true, nil, nil
	}
	s.refusal = adapters.Transient(reasonRefused, fmt.Errorf("%w%s", kafka.SASLAuthenticationFailed, status(challenge)))
	return false, []byte(separator), nil
}

// status returns the status that a server's refusal gives, in parentheses, if
// it is one of those that bearer tokens have (RFC 6750, section 3.1).
func status(challenge []byte) string {
	var refusal struct {
		Status string `json:"status"`
	}
	_ = json.Unmarshal(challenge, &refusal) // what isn't JSON has no status
	if slices.Contains([]string{"invalid_request", "invalid_token", "insufficient_scope"}, refusal.Status) {
		return " (" + refusal.Status + ")"
	}
	return ""
}
