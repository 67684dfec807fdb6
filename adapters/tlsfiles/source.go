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
	option        string
	options       Options
	ca, cert, key *secret.File // nil: not configured

	mu     sync.Mutex
	tried  *contents   // guarded by mu; what was last looked at, nil before the first
	config *tls.Config // guarded by mu; made of the last good contents, nil before the first
	err    error       // guarded by mu; what was wrong with tried, if config is nil
}

// New returns a source for options that [Options.Check] has nothing against.
// They are the value of the option with this path, for errors: "tls". It does
// no I/O.
func New(option string, o Options) *Source {
	return &Source{
		option:  option,
		options: o,
		ca:      secret.NewFile(option+".ca", o.CA, maxPEM),
		cert:    secret.NewFile(option+".cert", o.Cert, maxPEM),
		key:     secret.NewFile(option+".key", o.Key, maxPEM),
	}
}

// Config returns the configuration for the files as they are now: the same
// pointer as before if nothing has changed, and the last good one if what is
// there now isn't usable. It is shared: who wants to change it, or hands it to
// a library that may, has to clone it. An error is transient, with a reason
// that clients may see.
func (s *Source) Config() (*tls.Config, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now, err := s.read()
	if err != nil {
		return nil, adapters.Transient(reasonUnusable, err)
	}
	if s.tried != nil && s.tried.equal(now) {
		return s.config, s.err
	}
	s.tried = now
	config, err := s.build(now)
	switch {
	case err == nil:
		s.config, s.err = config, nil
	case s.config == nil:
		s.err = adapters.Transient(reasonUnusable, err)
	}
	return s.config, s.err
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

func (s *Source) build(from *contents) (*tls.Config, error) {
	o := s.options
	config := &tls.Config{
		MinVersion:         tls.VersionTLS12,
		ServerName:         o.ServerName,
		InsecureSkipVerify: o.InsecureSkipVerify,
	}
	if o.MinVersion == version13 {
		config.MinVersion = tls.VersionTLS13
	}
	if o.CA != "" {
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(from.ca) {
			return nil, fmt.Errorf("%s.ca: %s holds no certificate in PEM form", s.option, o.CA)
		}
	}
	if o.Cert != "" {
		pair, err := tls.X509KeyPair(from.cert, from.key)
		if err != nil {
			return nil, fmt.Errorf("%s.cert: %s, %s.key: %s: %w", s.option, o.Cert, s.option, o.Key, err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}
