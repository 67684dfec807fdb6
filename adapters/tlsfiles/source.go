package tlsfiles

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"sync"

	"sidestream/adapters"
	"sidestream/adapters/secret"
)

// maxPEM is the most that a file holds, in bytes.
const maxPEM = 1 << 20

const reasonUnusable = "upstream TLS files not usable"

// A Source makes configurations of the files as they are. It is safe for
// concurrent use.
type Source struct {
	ca, cert, key *secret.File // nil: not configured

	build  func(*contents) (*tls.Config, error)
	reason string // of errors, for clients; empty: they have none

	mu     sync.Mutex
	tried  *contents   // guarded by mu; what was last looked at, nil before the first
	config *tls.Config // guarded by mu; made of the last good contents, nil before the first
	err    error       // guarded by mu; what was wrong with tried, nil if config was made of it
}

// New returns a source for options that [Options.Check] has nothing against.
// They are the value of the option with this path, for errors: "tls". It does
// no I/O. Errors of its Config are transient, with a reason that clients may
// see.
func New(option string, o Options) *Source {
	return &Source{
		ca:     secret.NewFile(option+".ca", o.CA, maxPEM),
		cert:   secret.NewFile(option+".cert", o.Cert, maxPEM),
		key:    secret.NewFile(option+".key", o.Key, maxPEM),
		build:  func(from *contents) (*tls.Config, error) { return o.build(option, from) },
		reason: reasonUnusable,
	}
}

func (o *Options) build(option string, from *contents) (config *tls.Config, err error) {
	config = &tls.Config{
		MinVersion:         o.MinVersion.number(),
		ServerName:         o.ServerName,
		InsecureSkipVerify: o.InsecureSkipVerify,
	}
	if o.CA != "" {
		if config.RootCAs, err = from.pool(option+".ca", o.CA); err != nil {
			return nil, err
		}
	}
	if o.Cert != "" {
		if config.Certificates, err = from.pair(option, o.Cert, o.Key); err != nil {
			return nil, err
		}
	}
	return config, nil
}

// Config returns the configuration for the files as they are now: the same
// pointer as before if nothing has changed, and the last good one if what is
// there now isn't usable. It is shared: who wants to change it, or hands it to
// a library that may, has to clone it. An error says why there never was a good
// one.
func (s *Source) Config() (*tls.Config, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now, err := s.read()
	if err != nil {
		return nil, s.unusable(err)
	}
	if s.tried == nil || !s.tried.equal(now) {
		s.tried = now
		var config *tls.Config
		if config, s.err = s.build(now); s.err == nil {
			s.config = config
		}
	}
	if s.config == nil {
		return nil, s.unusable(s.err)
	}
	return s.config, nil
}

// Trouble returns why the latest Config is that of an earlier time, for logs,
// or nil if it isn't. It does no I/O.
func (s *Source) Trouble() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.config == nil { // Config has said it
		return nil
	}
	for _, f := range []*secret.File{s.ca, s.cert, s.key} {
		if err := f.Trouble(); err != nil {
			return err
		}
	}
	return s.err
}

func (s *Source) unusable(err error) error {
	if s.reason == "" {
		return err
	}
	return adapters.Transient(s.reason, err)
}

// contents are those of the files, nil where none is configured.
type contents struct{ ca, cert, key []byte }

func (c *contents) equal(other *contents) bool {
	return bytes.Equal(c.ca, other.ca) && bytes.Equal(c.cert, other.cert) && bytes.Equal(c.key, other.key)
}

// read returns the last good content of each file, or why one has none, which
// can only be as long as there was no configuration.
func (s *Source) read() (*contents, error) {
	ca, err := s.ca.Content()
	if err != nil {
		return nil, err
	}
	cert, err := s.cert.Content()
	if err != nil {
		return nil, err
	}
	key, err := s.key.Content()
	if err != nil {
		return nil, err
	}
	return &contents{ca: ca, cert: cert, key: key}, nil
}

// pool returns the authorities, which are those of the file that the option
// names.
func (c *contents) pool(option, file string) (*x509.CertPool, error) {
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(c.ca) {
		return nil, fmt.Errorf("%s: %s holds no certificate in PEM form", option, file)
	}
	return pool, nil
}

// pair returns the certificate with its key, which are those of the files that
// the options cert and key under option name.
func (c *contents) pair(option, cert, key string) ([]tls.Certificate, error) {
	pair, err := tls.X509KeyPair(c.cert, c.key)
	if err != nil {
		return nil, fmt.Errorf("%s.cert: %s, %s.key: %s: %w", option, cert, option, key, err)
	}
	return []tls.Certificate{pair}, nil
}
