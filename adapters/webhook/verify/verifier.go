package verify

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"sidestream/adapters"
)

// A Verifier tells whether requests are genuine. It is safe for concurrent use.
type Verifier struct {
	schemes   []named
	status    int      // of all refusals, lest it tells what was wrong
	challenge []string // likewise
	now       func() time.Time
}

// named is a scheme with the key that it is configured by.
type named struct {
	key      string
	bodiless bool // it doesn't look at the body
	scheme
}

// A scheme is one way to prove where a request comes from.
type scheme interface {
	// verify returns nil if r, which came at now, is genuine; else a Refusal
	// that says why, or a failure to find out.
	verify(r *http.Request, body []byte, now time.Time) error

	// facts returns what a genuine request says of itself.
	facts(r *http.Request, body []byte) Facts
}

// mute is part of schemes that tell no facts.
type mute struct{}

func (mute) facts(*http.Request, []byte) Facts { return Facts{} }

// nobody is the scheme of options that say nothing, which Check refuses: they
// must not be taken for none.
type nobody struct{ mute }

func (nobody) verify(*http.Request, []byte, time.Time) error { return refuse("nothing is configured") }

// New returns the verifier of options that Check has nothing against. It does no
// I/O.
func New(o *Options) *Verifier {
	v := &Verifier{status: http.StatusForbidden, now: time.Now}
	for _, k := range o.kinds() {
		if k.set {
			v.schemes = append(v.schemes, named{k.key, k.role == bodiless, k.open("verify." + k.key)})
		}
	}
	if len(v.schemes) == 0 && !o.None {
		v.schemes = []named{{key: "none", scheme: nobody{}}}
	}
	switch { // RFC 9110, section 15.5.2: a 401 has a challenge
	case len(o.Bearer) > 0:
		v.status, v.challenge = http.StatusUnauthorized, []string{"Bearer"}
	case len(o.Basic) > 0:
		v.status, v.challenge = http.StatusUnauthorized, []string{`Basic realm="webhook", charset="UTF-8"`}
	}
	return v
}

// Admit is Verify as far as that takes no body, so that nobody has to wait for
// one that a stranger sends.
func (v *Verifier) Admit(r *http.Request) error {
	return v.verify(r, nil, func(s *named) bool { return s.bodiless })
}

// Verify returns nil if r, whose raw body is body, is genuine. An error is a
// [Refusal], or a transient [adapters.UpstreamError] if that can't be told, as
// the file of a secret can't be read.
func (v *Verifier) Verify(r *http.Request, body []byte) error {
	return v.verify(r, body, func(*named) bool { return true })
}

// verify asks the schemes that are wanted.
func (v *Verifier) verify(r *http.Request, body []byte, wanted func(*named) bool) error {
	now := v.now()
	for i := range v.schemes {
		s := &v.schemes[i]
		if !wanted(s) {
			continue
		}
		err := s.verify(r, body, now)
		if err == nil {
			continue
		}
		var refused *Refusal
		if errors.As(err, &refused) {
			return &Refusal{Status: v.status, Challenge: v.challenge, Why: s.key + ": " + refused.Why}
		}
		return err
	}
	return nil
}

// A Refusal says that a request isn't genuine. For one verifier, all are the
// same but for Why.
type Refusal struct { //nolint:errname // as an answer it is a refusal, not an error
	Status    int      // 401 or 403
	Challenge []string // values of WWW-Authenticate; not empty with status 401

	// Why says what was wrong, for logs and never for the sender. It holds no
	// secret and no payload.
	Why string
}

// Error returns what the sender may be told.
func (*Refusal) Error() string { return "the request is not authorized" }

// refuse returns a Refusal for a scheme to return.
func refuse(format string, args ...any) error { return &Refusal{Why: fmt.Sprintf(format, args...)} }

// Facts are what a request says of itself.
type Facts struct {
	// Type is the event's type; empty if the request names none, or none that
	// an event may have.
	Type string

	// ID tells deliveries apart: it is the same for one that is sent again. It
	// is one of [adapters.BoundID]. Empty: none.
	ID string

	// Answer, if not nil, is what the sender wants to be answered, with status
	// 200, in place of an event being delivered.
	Answer     []byte
	AnswerType string // the content type of Answer
}

// Facts returns what r, which Verify has nothing against, says of itself.
func (v *Verifier) Facts(r *http.Request, body []byte) Facts {
	var all Facts
	for _, s := range v.schemes {
		f := s.facts(r, body)
		if all.Type == "" && adapters.CheckType(f.Type) == nil {
			all.Type = f.Type
		}
		if all.ID == "" {
			all.ID = adapters.BoundID(f.ID)
		}
		if all.Answer == nil {
			all.Answer, all.AnswerType = f.Answer, f.AnswerType
		}
	}
	return all
}
