package broker

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/sasl"
	"github.com/segmentio/kafka-go/sasl/scram"

	"sidestream/adapters"
)

// maxIterations bounds the work that a server can ask for, which nothing
// interrupts. Kafka's own maximum is 16384. (The minimum of RFC 7677, 4096, is
// the library's.)
const maxIterations = 1 << 20

// scram returns SCRAM (RFC 5802) of the library, which verifies the server's
// signature, with a bound on the work, and errors without what was sent.
func (s *SASL) scram(algorithm scram.Algorithm, user, password string) (sasl.Mechanism, error) {
	m, err := scram.Mechanism(algorithm, user, password)
	if err != nil { // its text quotes a character
		return nil, s.unusable(errors.New("user or password holds a character that SCRAM doesn't allow (RFC 4013)"))
	}
	return &scramMechanism{m, s}, nil
}

type scramMechanism struct {
	sasl.Mechanism
	options *SASL
}

// Start implements [sasl.Mechanism].
func (m *scramMechanism) Start(ctx context.Context) (sasl.StateMachine, []byte, error) {
	state, first, err := m.Mechanism.Start(ctx)
	return &scramState{state: state, options: m.options}, first, err
}

type scramState struct {
	state   sasl.StateMachine
	options *SASL
	proved  bool // the client has sent its proof
}

// Next implements [sasl.StateMachine].
func (s *scramState) Next(ctx context.Context, challenge []byte) (bool, []byte, error) {
	if !s.proved {
		if n := iterations(string(challenge)); n > maxIterations {
			return false, nil, adapters.Transient(reasonImpostor, fmt.Errorf("it asks for %d iterations, which is more than %d", n, maxIterations))
		}
	} else if strings.HasPrefix(string(challenge), "e=") {
		return false, nil, s.options.refusal(kafka.SASLAuthenticationFailed)
	}
	done, response, err := s.state.Next(ctx, challenge)
	if err != nil {
		err = adapters.Transient(reasonImpostor, errors.New("its part of SCRAM is not right"))
	}
	s.proved = true
	return done, response, err
}

// iterations returns the iteration count of a server's first message, or 0 if
// it has none that is a number, which the library is to judge.
func iterations(first string) int64 {
	for field := range strings.SplitSeq(first, ",") {
		if text, ok := strings.CutPrefix(field, "i="); ok {
			n, err := strconv.ParseInt(text, 10, 64)
			if err != nil {
				return 0
			}
			return n
		}
	}
	return 0
}
