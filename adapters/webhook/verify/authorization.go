package verify

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"sidestream/adapters/secret"
)

// bearer is the scheme of RFC 6750, section 2.1.
type bearer struct {
	mute
	tokens keys
}

func newBearer(path string, values []secret.Value) scheme {
	return &bearer{tokens: newKeys(path, values)}
}

func (s *bearer) verify(r *http.Request, _ []byte, _ time.Time) error {
	value, err := one(r, "Authorization")
	if err != nil {
		return err
	}
	kind, token, _ := strings.Cut(value, " ")
	if !strings.EqualFold(kind, "Bearer") {
		return refuse("header Authorization is not of scheme Bearer")
	}
	return s.tokens.matchText(strings.TrimLeft(token, " "))
}

// basic is the scheme of RFC 7617.
type basic struct {
	mute
	users, passwords keys // of the same length
}

func newBasic(path string, pairs []Basic) scheme {
	s := &basic{}
	for i, pair := range pairs {
		at := fmt.Sprintf("%s[%d]", path, i)
		s.users = append(s.users, newKey(at+".user", pair.User))
		s.passwords = append(s.passwords, newKey(at+".password", pair.Password))
	}
	return s
}

func (s *basic) verify(r *http.Request, _ []byte, _ time.Time) error {
	if _, err := one(r, "Authorization"); err != nil {
		return err
	}
	user, password, ok := r.BasicAuth()
	if !ok {
		return refuse("header Authorization is not of scheme Basic")
	}
	return anyOf(len(s.passwords), func(i int) (bool, error) {
		wantUser, err := s.users[i].Read()
		if err != nil {
			return false, err
		}
		wantPassword, err := s.passwords[i].read()
		if err != nil {
			return false, err
		}
		rightUser, rightPassword := same(user, wantUser), same(password, wantPassword)
		return rightUser && rightPassword, nil
	})
}
