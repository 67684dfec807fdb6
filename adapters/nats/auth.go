package nats

import (
	"errors"
	"fmt"

	natsgo "github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"

	"sidestream/adapters"
	"sidestream/adapters/secret"
)

// maxCredentials is the most that a file with a key or credentials holds, in
// bytes.
const maxCredentials = 64 << 10

// credentials are what a client proves with who it is.
type credentials struct {
	options                          *Auth
	user, password, token, jwt, seed *secret.Reader
	nkey, creds                      *secret.File // nil: not configured
}

func newCredentials(a *Auth) *credentials {
	return &credentials{
		options:  a,
		user:     secret.NewReader("auth.user", a.User),
		password: secret.NewReader("auth.password", a.Password),
		token:    secret.NewReader("auth.token", a.Token),
		jwt:      secret.NewReader("auth.jwt", a.JWT),
		seed:     secret.NewReader("auth.seed", a.Seed),
		nkey:     secret.NewFile("auth.nkey", a.NKey, maxCredentials),
		creds:    secret.NewFile("auth.creds", a.Creds, maxCredentials),
	}
}

// inFiles reports whether any of them is in a file, which may change.
func (c *credentials) inFiles() bool {
	a := c.options
	return a.NKey != "" || a.Creds != "" || a.User.File != "" || a.Password.File != "" ||
		a.Token.File != "" || a.JWT.File != "" || a.Seed.File != ""
}

// apply puts the credentials, as they are now, into the options of a
// connection. An error is transient: somebody may yet write the file.
func (c *credentials) apply(o *natsgo.Options) error {
	switch a := c.options; {
	case a.Creds != "":
		return c.applyCreds(o)
	case a.NKey != "":
		return c.applyNKey(o)
	case !a.JWT.IsZero():
		return c.applyJWT(o)
	case !a.Token.IsZero():
		return read(c.token, &o.Token)
	default:
		return errors.Join(read(c.user, &o.User), read(c.password, &o.Password))
	}
}

func read(from *secret.Reader, into *string) (err error) {
	*into, err = from.Read()
	return err
}

func (c *credentials) applyCreds(o *natsgo.Options) error {
	content, err := c.creds.Content()
	if err != nil {
		return unusable(err)
	}
	token, err := nkeys.ParseDecoratedJWT(content)
	if err != nil {
		return unusable(fmt.Errorf("auth.creds: %s holds no JWT", c.options.Creds))
	}
	key, err := nkeys.ParseDecoratedUserNKey(content)
	if err != nil {
		return unusable(fmt.Errorf("auth.creds: %s holds no seed of a user's NKey", c.options.Creds))
	}
	present(o, token, key)
	return nil
}

func (c *credentials) applyNKey(o *natsgo.Options) error {
	content, err := c.nkey.Content()
	if err != nil {
		return unusable(err)
	}
	key, err := nkeys.ParseDecoratedNKey(content)
	if err != nil {
		return unusable(fmt.Errorf("auth.nkey: %s holds no seed of an NKey", c.options.NKey))
	}
	public, err := key.PublicKey()
	if err != nil {
		return unusable(fmt.Errorf("auth.nkey: %s holds no usable seed", c.options.NKey))
	}
	o.Nkey, o.SignatureCB = public, key.Sign
	return nil
}

func (c *credentials) applyJWT(o *natsgo.Options) error {
	var token, seed string
	if err := errors.Join(read(c.jwt, &token), read(c.seed, &seed)); err != nil {
		return err
	}
	key, err := nkeys.FromSeed([]byte(seed))
	if err != nil {
		return unusable(errors.New("auth.seed: it is no seed of an NKey"))
	}
	present(o, token, key)
	return nil
}

// present has a connection present a user's JWT and sign with the key that it
// is for.
func present(o *natsgo.Options, token string, key nkeys.KeyPair) {
	o.UserJWT = func() (string, error) { return token, nil }
	o.SignatureCB = key.Sign
}

func unusable(err error) error { return adapters.Transient(secret.ReasonUnavailable, err) }
