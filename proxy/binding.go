package proxy

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"

	"gopkg.in/yaml.v3"

	"sidestream/adapters"
	"sidestream/adapters/tlsfiles"
	"sidestream/proxy/strictyaml"
)

// Binding is where requests come in, and how their connections begin. In YAML
// it is a mapping, or just the address.
type Binding struct {
	// Address is host:port or :port, or unix: and the path of a socket. At a
	// TCP address HTTP/1.1 is spoken, and HTTP/2, which without TLS a client has
	// to begin with at once.
	Address string `yaml:"address"`

	// TLS secures the connections. Its files are read again when they change.
	// Default: none.
	TLS *tlsfiles.ServerOptions `yaml:"tls"`

	// ProxyProtocol are the peers, addresses and networks (and private, as in
	// trusted_proxies), that begin each connection with a PROXY header (version
	// 1 or 2), before TLS if there is any: the client's address is then that in
	// the header. A connection of theirs without one is closed; others' are
	// taken as they are. Whoever is one of them can claim any address, and with
	// 0.0.0.0/0 everybody can. At a socket the only entry is unix: all who
	// connect there. Default: nobody.
	ProxyProtocol []Network `yaml:"proxy_protocol"`

	// Mode is that of a socket's file, in octal. Default: what the process's
	// umask leaves of 0777.
	Mode FileMode `yaml:"mode"`
}

// UnmarshalText implements [encoding.TextUnmarshaler].
func (b *Binding) UnmarshalText(text []byte) error {
	*b = Binding{Address: string(text)}
	return nil
}

// MarshalText implements [encoding.TextMarshaler]: the address.
func (b Binding) MarshalText() ([]byte, error) { return []byte(b.Address), nil }

// Scalar implements [adapters.Shorthand].
func (Binding) Scalar() any { return "" }

// A FileMode is the permissions of a file; 0 is unset.
type FileMode fs.FileMode

// UnmarshalText implements [encoding.TextUnmarshaler]: a number in octal.
func (m *FileMode) UnmarshalText(text []byte) error {
	n, err := strconv.ParseUint(string(text), 8, 32)
	if err != nil || n == 0 || n > 0o777 {
		return fmt.Errorf(`%q is no mode of a socket's file; write it in octal, such as "0660"`, text)
	}
	*m = FileMode(n)
	return nil
}

// ListenAt has the server listen at other addresses than the table says, each
// as the table may have it as text. Empty are those that stay as they are. It
// is an error if an address of the table would go that has TLS or PROXY headers,
// which an address alone can't say.
func (c *Config) ListenAt(public []string, admin string) error {
	next := *c
	if len(public) > 0 {
		if err := replaceable(c.Listen); err != nil {
			return fmt.Errorf("listen: %w", err)
		}
		next.Listen = nil
	}
	for _, address := range public {
		if err := checkAddress(address); err != nil {
			return fmt.Errorf("listen: %w", err)
		}
		next.Listen = append(next.Listen, Binding{Address: address})
	}
	if admin != "" {
		if err := checkAdmin(admin); err != nil {
			return fmt.Errorf("admin: %w", err)
		}
		next.Admin = admin
	}
	*c = next
	return nil
}

// replaceable returns why addresses alone can't take the place of list, or nil.
func replaceable(list []Binding) error {
	for _, b := range list {
		has := "tls"
		switch {
		case b.TLS != nil:
		case len(b.ProxyProtocol) > 0:
			has = "proxy_protocol"
		default:
			continue
		}
		return fmt.Errorf("the table's %s has %s, which would be lost: change the address in the table, or leave out --listen (SIDESTREAM_LISTEN)", b.Address, has)
	}
	return nil
}

// adminOff is the address of an admin listener that isn't there.
const adminOff = "off"

func checkAdmin(address string) error {
	switch address {
	case adminOff:
		return nil
	case "":
		return errors.New(`is empty; write an address such as 127.0.0.1:9090, or "off" for none`)
	}
	return checkAddress(address)
}

// bindings checks where the table says to listen, and returns it with defaults
// filled in.
func (l *loader) bindings(list []Binding, admin string) []Binding {
	if len(list) == 0 {
		l.doc.Errorf(strictyaml.Find(l.doc.Root, "listen"), "listen", "names no address; one such as :8080 is needed")
	}
	list = slices.Clone(list)
	for i := range list {
		l.binding(fmt.Sprintf("listen[%d]", i), &list[i], list[:i])
	}
	err := checkAdmin(admin)
	if slices.ContainsFunc(list, func(b Binding) bool { return sameAddress(admin, b.Address) }) {
		err = errors.New(`the address is one of "listen" too; choose another port`)
	}
	if err != nil {
		l.doc.Errorf(strictyaml.Find(l.doc.Root, "admin"), "admin", "%v", err)
	}
	return list
}

// binding checks b, which stands at path, and that it is another one than those
// before it.
func (l *loader) binding(path string, b *Binding, before []Binding) {
	n := strictyaml.Find(l.doc.Root, path)
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	complain := l.complainer(n, path)
	_, socket := socketPath(b.Address)
	field := ""
	if n.Kind == yaml.MappingNode {
		field = "address"
	}
	switch err := checkAddress(b.Address); {
	case n.Kind == yaml.SequenceNode: // which the decoder has complained of
	case field != "" && b.Address == "":
		complain("", `"address" is missing; write one such as :8443`)
	case err != nil:
		complain(field, "%v", err)
	case slices.ContainsFunc(before, func(other Binding) bool { return sameAddress(b.Address, other.Address) }):
		complain(field, "%s is listened at already; leave out one of the two", b.Address)
	}
	if b.Mode != 0 && !socket {
		complain("mode", "has no effect at a TCP address; it is for the file of a socket (unix:)")
	}
	for i, peer := range b.ProxyProtocol {
		if !peer.empty() && peer.local != socket {
			complain(fmt.Sprintf("proxy_protocol[%d]", i), "at a TCP address peers are addresses and networks; at a socket they have none, and the entry is %s", localNetwork)
		}
	}
	l.bindingTLS(complain, b)
}

func (l *loader) bindingTLS(complain func(field, format string, args ...any) bool, b *Binding) {
	if b.TLS == nil {
		return
	}
	if b.TLS.MinVersion == "" {
		b.TLS.MinVersion = tlsfiles.ServerDefaults().MinVersion
	}
	var c adapters.OptionErrors
	b.TLS.Check(&c, "tls")
	c.Refuse(!b.TLS.Enabled(), "tls", "it needs a certificate and its private key, tls.cert and tls.key")
	for _, err := range unjoin(c.Err()) {
		if o, ok := errors.AsType[*adapters.OptionError](err); ok {
			complain(o.Path, "%v", o.Err)
		}
	}
}
