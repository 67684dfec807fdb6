package webhook

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"sync"

	"sidestream/adapters/secret"
	"sidestream/adapters/tlsfiles"
)

// maxPEM is the most that a file holds, in bytes.
const maxPEM = 1 << 20

// serverTLS makes the configuration of a listener of files that may change
// meanwhile. It is safe for concurrent use.
type serverTLS struct {
	option        string
	options       TLS
	cert, key, ca *secret.File

	mu   sync.Mutex
	from [3][]byte   // guarded by mu; what was last looked at
	last *tls.Config // guarded by mu; made of the last good contents, nil before the first
	err  error       // guarded by mu; what is wrong with from, if last is nil
}

// newServerTLS does no I/O. option is the path of o, for errors.
func newServerTLS(option string, o TLS) *serverTLS {
	return &serverTLS{
		option:  option,
		options: o,
		cert:    secret.NewFile(option+".cert", o.Cert, maxPEM),
		key:     secret.NewFile(option+".key", o.Key, maxPEM),
		ca:      secret.NewFile(option+".client_ca", o.ClientCA, maxPEM),
	}
}

// config returns the configuration for the files as they are now: the same
// pointer as before if nothing has changed, and the last good one if what is
// there now isn't usable.
func (s *serverTLS) config() (*tls.Config, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now, err := s.read()
	if err != nil { // as long as one of them never was readable
		return nil, err
	}
	same := bytes.Equal(now[0], s.from[0]) && bytes.Equal(now[1], s.from[1]) && bytes.Equal(now[2], s.from[2])
	if same {
		return s.last, s.err
	}
	s.from = now
	config, err := s.build(now)
	switch {
	case err == nil:
		s.last, s.err = config, nil
	case s.last == nil:
		s.err = err
	}
	return s.last, s.err
}

// read returns the last good content of each file.
func (s *serverTLS) read() (now [3][]byte, err error) {
	for i, file := range []*secret.File{s.cert, s.key, s.ca} {
		if now[i], err = file.Content(); err != nil {
			return now, err
		}
	}
	return now, nil
}

func (s *serverTLS) build(from [3][]byte) (*tls.Config, error) {
	o := s.options
	pair, err := tls.X509KeyPair(from[0], from[1])
	if err != nil {
		return nil, fmt.Errorf("%s.cert: %s, %s.key: %s: %w", s.option, o.Cert, s.option, o.Key, err)
	}
	config := &tls.Config{
		MinVersion:   tls.VersionTLS13,
		Certificates: []tls.Certificate{pair},
		NextProtos:   []string{"h2", "http/1.1"},
	}
	if o.MinVersion == tlsfiles.Defaults().MinVersion {
		config.MinVersion = tls.VersionTLS12
	}
	if o.ClientCA != "" {
		config.ClientAuth = tls.RequireAndVerifyClientCert
		config.ClientCAs = x509.NewCertPool()
		if !config.ClientCAs.AppendCertsFromPEM(from[2]) {
			return nil, fmt.Errorf("%s.client_ca: %s holds no certificate in PEM form", s.option, o.ClientCA)
		}
	}
	return config, nil
}
