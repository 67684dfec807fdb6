package tlsfiles

import (
	"crypto/tls"

	"sidestream/adapters"
	"sidestream/adapters/secret"
)

// ServerOptions are how the connections of a listener are secured. They are
// comparable.
type ServerOptions struct {
	Cert string `yaml:"cert"` // PEM file of the listener's certificate, with its intermediates; empty: no TLS
	Key  string `yaml:"key"`  // PEM file of Cert's private key, not encrypted

	// ClientCA is a PEM file of authorities. If it is set, nobody connects
	// without a certificate of theirs.
	ClientCA string `yaml:"client_ca"`

	MinVersion Version `yaml:"min_version"` // the oldest version of the protocol that is spoken
}

// ServerDefaults returns the options that hold when nothing is configured: no
// TLS.
func ServerDefaults() ServerOptions { return ServerOptions{MinVersion: version12} }

// Enabled reports whether there is to be TLS.
func (o *ServerOptions) Enabled() bool { return o.Cert != "" || o.Key != "" || o.ClientCA != "" }

// Check is that of [Options.Check].
func (o *ServerOptions) Check(c *adapters.OptionErrors, path string) {
	checkPair(c, path, o.Cert, o.Key)
	c.Refuse(o.ClientCA != "" && o.Cert == "", path+".client_ca", "it has no effect without a certificate of the listener, %s.cert and %s.key", path, path)
	checkVersion(c, path, o.MinVersion)
}

// NewServer returns a source of a listener's configurations, which offers
// HTTP/2 and HTTP/1.1, for options that are [ServerOptions.Enabled] and that
// [ServerOptions.Check] has nothing against. They are the value of the option
// with this path, for errors: "listen.tls". It does no I/O.
func NewServer(option string, o ServerOptions) *Source {
	return &Source{
		ca:    secret.NewFile(option+".client_ca", o.ClientCA, maxPEM),
		cert:  secret.NewFile(option+".cert", o.Cert, maxPEM),
		key:   secret.NewFile(option+".key", o.Key, maxPEM),
		build: func(from *contents) (*tls.Config, error) { return o.build(option, from) },
	}
}

func (o *ServerOptions) build(option string, from *contents) (config *tls.Config, err error) {
	config = &tls.Config{MinVersion: o.MinVersion.number(), NextProtos: []string{"h2", "http/1.1"}}
	if config.Certificates, err = from.pair(option, o.Cert, o.Key); err != nil {
		return nil, err
	}
	if o.ClientCA != "" {
		config.ClientAuth = tls.RequireAndVerifyClientCert
		if config.ClientCAs, err = from.pool(option+".client_ca", o.ClientCA); err != nil {
			return nil, err
		}
	}
	return config, nil
}
