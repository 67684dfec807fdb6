package proxy

import (
	"fmt"
	"net"
	"net/netip"
)

// localNetwork is the name of the network of those who connect by a
// Unix-domain socket.
const localNetwork = "unix"

// A Network is a set of peers: those with an address of a prefix, or all who
// connect by a Unix-domain socket. The zero value is empty.
type Network struct {
	prefix netip.Prefix
	local  bool
}

// UnmarshalText implements [encoding.TextUnmarshaler]: an address, a prefix in
// CIDR notation, or "unix".
func (n *Network) UnmarshalText(text []byte) error {
	*n = Network{local: string(text) == localNetwork}
	if n.local {
		return nil
	}
	if a, err := netip.ParseAddr(string(text)); err == nil && a.Zone() == "" {
		a = a.Unmap()
		n.prefix = netip.PrefixFrom(a, a.BitLen())
		return nil
	}
	p, err := netip.ParsePrefix(string(text))
	switch {
	case err != nil:
		return fmt.Errorf(`%q is neither an address nor a network, such as "192.0.2.7" or "192.0.2.0/24"`, text)
	case p.Masked() != p:
		return fmt.Errorf("%s has bits behind its prefix; the network is %s", p, p.Masked())
	case p.Addr().Is4In6():
		return fmt.Errorf("%s is of IPv4; write it as such", p)
	}
	n.prefix = p
	return nil
}

// has reports whether a peer is in the network. An invalid one is one that has
// no IP address.
func (n Network) has(peer netip.Addr) bool {
	if n.local {
		return !peer.IsValid()
	}
	return n.prefix.Contains(peer)
}

// peerOf returns the IP address that an address of package net has; an invalid
// one if it has none.
func peerOf(a net.Addr) netip.Addr {
	t, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.Addr{}
	}
	return t.AddrPort().Addr().Unmap().WithZone("")
}
