package proxy

import (
	"crypto/tls"
	"net"
	"sync"

	"github.com/rs/zerolog"

	"sidestream/adapters/tlsfiles"
)

// certificates are the TLS of a listener: that of files, which may change.
type certificates struct {
	files *tlsfiles.Source

	mu      sync.Mutex
	config  *tls.Config // the latest, which is shared; guarded by mu
	trouble string      // what was last said about the files, empty if nothing; guarded by mu
}

// newCertificates reads the files for the first time. The options are those of
// the listener at path in the table.
func newCertificates(path string, o tlsfiles.ServerOptions) (*certificates, error) {
	c := &certificates{files: tlsfiles.NewServer(path+".tls", o)}
	var err error
	c.config, err = c.files.Config()
	return c, err
}

// look reads the files again if they have changed, and says so.
func (c *certificates) look(log zerolog.Logger) (*tls.Config, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	config, err := c.files.Config()
	if err != nil {
		return nil, err
	}
	if config != c.config {
		c.config = config
		log.Info().Time("expires", config.Certificates[0].Leaf.NotAfter).Msg("new TLS files are in use")
	}
	trouble := ""
	if err := c.files.Trouble(); err != nil {
		trouble = err.Error()
	}
	if trouble != "" && trouble != c.trouble {
		log.Error().Str("error", trouble).Msg("the TLS files can't be used; those before stay in use")
	}
	c.trouble = trouble
	return config, nil
}

// secure returns ln with TLS.
func (c *certificates) secure(ln net.Listener, log zerolog.Logger) net.Listener {
	return tls.NewListener(ln, handshakes(func() (*tls.Config, error) { return c.look(log) }))
}

// handshakes returns the configuration of a listener that asks for the one of
// each connection.
func handshakes(current func() (*tls.Config, error)) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			config, err := current()
			if err != nil {
				return nil, err
			}
			config = config.Clone()
			config.NextProtos = []string{"h2", "http/1.1"}
			// A session would be resumed although a client's authority is no
			// longer trusted.
			config.SessionTicketsDisabled = config.ClientCAs != nil
			return config, nil
		},
	}
}
