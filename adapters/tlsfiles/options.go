package tlsfiles

import (
	"crypto/tls"

	"sidestream/adapters"
)

// Options are how connections to an upstream are secured. They are comparable.
type Options struct {
	CA   string `yaml:"ca"`   // PEM file of the authorities to trust, instead of the system's
	Cert string `yaml:"cert"` // PEM file of the client's certificate, with its intermediates
	Key  string `yaml:"key"`  // PEM file of Cert's private key, not encrypted

	// ServerName is the name that the server's certificate must be for.
	// Empty means the host in its address.
	ServerName string `yaml:"server_name"`

	// InsecureSkipVerify takes any certificate for the server's, so that
	// anybody in between can read and change everything.
	InsecureSkipVerify bool `yaml:"insecure_skip_verify"`

	MinVersion Version `yaml:"min_version"` // the oldest version of the protocol that is spoken
}

// Version is one of TLS.
type Version string

const (
	version12 Version = "1.2"
	version13 Version = "1.3"
)

// Values implements [adapters.Choice].
func (Version) Values() []string { return []string{string(version12), string(version13)} }

// number returns what package tls calls v.
func (v Version) number() uint16 {
	if v == version13 {
		return tls.VersionTLS13
	}
	return tls.VersionTLS12
}

// Defaults returns the options that hold when nothing is configured.
func Defaults() Options { return Options{MinVersion: version12} }

// Check adds what is wrong with the options, which stand at path ("tls"), to c.
// It does no I/O: files need not exist, as a routing table may be checked
// elsewhere than where it is used.
func (o *Options) Check(c *adapters.OptionErrors, path string) {
	checkPair(c, path, o.Cert, o.Key)
	c.Refuse(o.CA != "" && o.InsecureSkipVerify, path+".ca", "it has no effect with insecure_skip_verify; leave out one of the two")
	checkVersion(c, path, o.MinVersion)
}

func checkPair(c *adapters.OptionErrors, path, cert, key string) {
	c.Refuse(cert != "" && key == "", path+".cert", "it needs its private key as %s.key", path)
	c.Refuse(key != "" && cert == "", path+".key", "it needs its certificate as %s.cert", path)
}

func checkVersion(c *adapters.OptionErrors, path string, v Version) {
	c.OneOf(path+".min_version", string(v), v.Values()...)
}
