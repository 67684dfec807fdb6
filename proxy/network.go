package proxy

import (
	"bytes"
	"fmt"
	"net"
	"net/netip"
	"slices"

	"sidestream/adapters"
)

// The words that stand for peers, besides addresses and networks.
const (
	localNetwork   = "unix"
	privateNetwork = "private"
)

// A Network is a set of peers: an address, a network in CIDR notation,
// "private" for loopback and link-local addresses and those of RFC 1918 and
// RFC 4193, or "unix" for all who connect by a Unix-domain socket, and have no
// address. The zero value is empty.
type Network struct {
	prefixes []netip.Prefix
	local    bool
}

var privateNetworks = Network{prefixes: []netip.Prefix{
	netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128"),
	netip.MustParsePrefix("169.254.0.0/16"), netip.MustParsePrefix("fe80::/10"),
	netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("172.16.0.0/12"), netip.MustParsePrefix("192.168.0.0/16"),
	netip.MustParsePrefix("fc00::/7"),
}}

// UnmarshalText implements [encoding.TextUnmarshaler].
func (n *Network) UnmarshalText(text []byte) error {
	switch string(text) {
	case localNetwork:
		*n = Network{local: true}
		return nil
	case privateNetwork:
		*n = privateNetworks
		return nil
	}
	p, err := adapters.ParseNetwork(string(text))
	if err != nil && !bytes.ContainsAny(text, "0123456789") {
		err = fmt.Errorf("%w; %q stands for all private networks, and %q for whoever connects to a Unix socket", err, privateNetwork, localNetwork)
	}
	if err != nil {
		*n = Network{}
		return err
	}
	*n = Network{prefixes: []netip.Prefix{p}}
	return nil
}

// empty reports whether nobody is in the network.
func (n Network) empty() bool { return !n.local && len(n.prefixes) == 0 }

// everybody returns a part of the network that has all addresses there are of
// a kind, if there is one.
func (n Network) everybody() (p netip.Prefix, ok bool) {
	i := slices.IndexFunc(n.prefixes, func(p netip.Prefix) bool { return p.Bits() == 0 })
	if i < 0 {
		return p, false
	}
	return n.prefixes[i], true
}

// has reports whether a peer is in the network. An invalid one is one that has
// no IP address.
func (n Network) has(peer netip.Addr) bool {
	if n.local {
		return !peer.IsValid()
	}
	return slices.ContainsFunc(n.prefixes, func(p netip.Prefix) bool { return p.Contains(peer) })
}

func hasPeer(list []Network, peer netip.Addr) bool {
	return slices.ContainsFunc(list, func(n Network) bool { return n.has(peer) })
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
