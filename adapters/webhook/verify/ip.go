package verify

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"time"
)

// maxHops bounds how many trusted proxies a request may have come through.
const maxHops = 32

// ip is the scheme of [IP].
type ip struct {
	mute
	allow, trusted []netip.Prefix
}

func newIP(_ string, o *IP) scheme {
	return &ip{allow: networks(o.Allow), trusted: networks(o.TrustedProxies)}
}

func networks(texts []string) []netip.Prefix {
	list := make([]netip.Prefix, 0, len(texts))
	for _, text := range texts {
		if n, err := parseNetwork(text); err == nil { // Check has nothing against them
			list = append(list, n)
		}
	}
	return list
}

var errEverybody = errors.New("is everybody")

// parseNetwork reads an address or a network in CIDR notation.
func parseNetwork(text string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(text); err == nil {
		a = a.Unmap()
		if a.Zone() != "" {
			return netip.Prefix{}, errors.New("it has a zone; leave it out")
		}
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	n, err := netip.ParsePrefix(text)
	switch {
	case err != nil:
		return netip.Prefix{}, fmt.Errorf(`%q is neither an address nor a network, such as "192.0.2.7" or "192.0.2.0/24"`, text)
	case n.Masked() != n:
		return netip.Prefix{}, fmt.Errorf("%s has bits behind its prefix; the network is %s", text, n.Masked())
	case n.Bits() == 0:
		return netip.Prefix{}, fmt.Errorf("%s %w", text, errEverybody)
	case n.Addr().Is4In6():
		return netip.Prefix{}, fmt.Errorf("%s is of IPv4; write it as such", text)
	}
	return n, nil
}

func (s *ip) verify(r *http.Request, _ []byte, _ time.Time) error {
	from, err := s.sender(r)
	if err != nil {
		return err
	}
	if !contains(s.allow, from) {
		return refuse("%s is not allowed", from)
	}
	return nil
}

// sender returns the address that r came from: that of the peer, and if it is a
// trusted proxy, that which it has added to X-Forwarded-For, and so on from the
// right. What stands to the left of an address that isn't trusted may be
// anything.
func (s *ip) sender(r *http.Request) (netip.Addr, error) {
	at, err := parseAddress(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}, refuse("the peer has no IP address")
	}
	chain := strings.Join(r.Header["X-Forwarded-For"], ",")
	for range maxHops + 1 {
		if chain == "" || !contains(s.trusted, at) {
			return at, nil
		}
		last := chain[strings.LastIndexByte(chain, ',')+1:]
		chain = strings.TrimSuffix(strings.TrimSuffix(chain, last), ",")
		if at, err = parseAddress(strings.Trim(last, " \t")); err != nil {
			return netip.Addr{}, refuse("header X-Forwarded-For has what is no IP address")
		}
	}
	return netip.Addr{}, refuse("header X-Forwarded-For has more than %d trusted proxies", maxHops)
}

// parseAddress reads an address with a port or without.
func parseAddress(text string) (netip.Addr, error) {
	if a, err := netip.ParseAddrPort(text); err == nil {
		return a.Addr().Unmap().WithZone(""), nil
	}
	a, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(text, "["), "]"))
	return a.Unmap().WithZone(""), err
}

func contains(list []netip.Prefix, a netip.Addr) bool {
	for _, n := range list {
		if n.Contains(a) {
			return true
		}
	}
	return false
}
