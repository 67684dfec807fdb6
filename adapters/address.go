package adapters

import (
	"fmt"
	"net/netip"
	"strings"
)

// ParseNetwork reads an address, or a network in CIDR notation, as it is
// configured.
func ParseNetwork(text string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(text); err == nil {
		a = a.Unmap()
		if a.Zone() != "" {
			return netip.Prefix{}, fmt.Errorf("%s has a zone; leave it out", text)
		}
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	n, err := netip.ParsePrefix(text)
	switch {
	case err != nil:
		return netip.Prefix{}, fmt.Errorf(`%q is neither an address nor a network, such as "192.0.2.7" or "192.0.2.0/24"`, text)
	case n.Masked() != n:
		return netip.Prefix{}, fmt.Errorf("%s has bits behind its prefix; the network is %s", text, n.Masked())
	case n.Addr().Is4In6():
		return netip.Prefix{}, fmt.Errorf("%s is of IPv4; write it as such", text)
	}
	return n, nil
}

// ParseAddress reads the address of somebody on the network, with a port or
// without, as in [http.Request.RemoteAddr]. ok is false if there is none, as
// with a peer on a Unix socket. One of IPv4 is returned as such, however it is
// written, and without a zone.
//
// [http.Request.RemoteAddr]: https://pkg.go.dev/net/http#Request
func ParseAddress(text string) (a netip.Addr, ok bool) {
	if with, err := netip.ParseAddrPort(text); err == nil {
		return plainAddr(with.Addr()), true
	}
	if inner, found := strings.CutPrefix(text, "["); found {
		if text, found = strings.CutSuffix(inner, "]"); !found {
			return netip.Addr{}, false
		}
	}
	a, err := netip.ParseAddr(text)
	return plainAddr(a), err == nil
}

func plainAddr(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }
