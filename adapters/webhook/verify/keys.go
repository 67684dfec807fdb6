package verify

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"hash"
	"time"

	"sidestream/adapters"
	"sidestream/adapters/secret"
)

// keys are the secrets of a scheme, any of which will do.
type keys []key

type key struct {
	option string
	*secret.Reader
}

// newKeys returns the secrets of the option at path, a list.
func newKeys(path string, values []secret.Value) keys {
	k := make(keys, len(values))
	for i, v := range values {
		k[i] = newKey(fmt.Sprintf("%s[%d]", path, i), v)
	}
	return k
}

func newKey(option string, v secret.Value) key { return key{option, secret.NewReader(option, v)} }

// read returns the secret as it is now, which isn't empty.
func (k key) read() (string, error) {
	text, err := k.Read()
	if err == nil && text == "" {
		err = k.unusable("it is empty")
	}
	return text, err
}

// unusable returns the error for a secret that is no good, until somebody
// writes another one into its file.
func (k key) unusable(why string) error {
	return adapters.Transient(secret.ReasonUnavailable, fmt.Errorf("%s: %s", k.option, why))
}

// errNoMatch is for a signature or token that no secret is good for.
var errNoMatch = &Refusal{Why: "no secret matches"}

// match returns nil if one of the secrets is one that try says is right.
func (k keys) match(try func(k key, text string) (bool, error)) error {
	return anyOf(len(k), func(i int) (bool, error) {
		text, err := k[i].read()
		if err != nil {
			return false, err
		}
		return try(k[i], text)
	})
}

// anyOf returns nil if one of n secrets is one that try says is right. It tries
// all of them. One that can't be had doesn't matter if another one is right; if
// none is, there is no telling.
func anyOf(n int, try func(i int) (bool, error)) error {
	right := false
	var failed error
	for i := range n {
		ok, err := try(i)
		right = right || ok
		if err != nil && failed == nil {
			failed = err
		}
	}
	switch {
	case right:
		return nil
	case failed != nil:
		return failed
	default:
		return errNoMatch
	}
}

// matchMAC returns nil if one of given, all of them texts, is the MAC of what
// write writes, encoded by encode, under one of the secrets.
func (k keys) matchMAC(algorithm func() hash.Hash, encode func([]byte) string, given []string, write func(hash.Hash)) error {
	return k.match(func(_ key, text string) (bool, error) {
		return isMAC(algorithm, []byte(text), encode, given, write), nil
	})
}

func isMAC(algorithm func() hash.Hash, secret []byte, encode func([]byte) string, given []string, write func(hash.Hash)) bool {
	mac := hmac.New(algorithm, secret)
	write(mac)
	want := []byte(encode(mac.Sum(nil)))
	right := 0
	for _, g := range given {
		right |= subtle.ConstantTimeCompare([]byte(g), want)
	}
	return right == 1
}

// matchText returns nil if given is one of the secrets.
func (k keys) matchText(given string) error {
	return k.match(func(_ key, text string) (bool, error) { return same(given, text), nil })
}

// same reports whether two texts are equal, in a time that depends on the
// length of each, but not on what they have in common.
func same(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}

// defaultTolerance is what several providers recommend.
const defaultTolerance = 5 * time.Minute

func tolerance(d adapters.Duration) time.Duration {
	if d == 0 {
		return defaultTolerance
	}
	return time.Duration(d)
}
