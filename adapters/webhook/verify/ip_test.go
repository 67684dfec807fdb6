package verify

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
)

func TestIP(t *testing.T) {
	direct := IP{Allow: []string{"192.0.2.0/24", "198.51.100.7", "2001:db8::/32", "::ffff:203.0.113.9"}}
	proxied := direct
	proxied.TrustedProxies = []string{"10.0.0.0/8", "fd00::1"}
	for _, tc := range []struct {
		name      string
		options   IP
		peer      string
		forwarded []string
		right     bool
	}{
		{"in a network", direct, "192.0.2.255:4711", nil, true},
		{"an address", direct, "198.51.100.7:4711", nil, true},
		{"IPv6", direct, "[2001:db8:1::2]:4711", nil, true},
		{"IPv6 with a zone", direct, "[2001:db8::1%eth0]:4711", nil, true},
		{"IPv4 as IPv6", direct, "[::ffff:192.0.2.1]:4711", nil, true},
		{"IPv4 configured as IPv6", direct, "203.0.113.9:4711", nil, true},
		{"beside the network", direct, "192.0.3.0:4711", nil, false},
		{"beside the address", direct, "198.51.100.8:4711", nil, false},
		{"other IPv6", direct, "[2001:db9::1]:4711", nil, false},
		{"a socket", direct, "@", nil, false},
		{"no address", direct, "", nil, false},

		{"forged without proxies", direct, "203.0.113.1:4711", []string{"192.0.2.1"}, false},
		{"of no concern without proxies", direct, "192.0.2.1:4711", []string{"203.0.113.1"}, true},
		{"forged past the proxy", proxied, "203.0.113.1:4711", []string{"192.0.2.1"}, false},
		{"by a proxy", proxied, "10.1.2.3:4711", []string{"192.0.2.1"}, true},
		{"by a proxy of IPv6", proxied, "[fd00::1]:4711", []string{"2001:db8::1"}, true},
		{"by two proxies", proxied, "10.1.2.3:4711", []string{"192.0.2.1, 10.9.9.9"}, true},
		{"in two lines", proxied, "10.1.2.3:4711", []string{"192.0.2.1", "10.9.9.9"}, true},
		{"with a port", proxied, "10.1.2.3:4711", []string{"192.0.2.1:80"}, true},
		{"IPv6 with a port", proxied, "10.1.2.3:4711", []string{"[2001:db8::1]:80"}, true},
		{"IPv6 in brackets", proxied, "10.1.2.3:4711", []string{"[2001:db8::1]"}, true},
		{"whatever stands to the left", proxied, "10.1.2.3:4711", []string{"unknown, <script>,, 192.0.2.1"}, true},
		{"forged to the left", proxied, "10.1.2.3:4711", []string{"192.0.2.1, 203.0.113.1"}, false},
		{"forged in the first line", proxied, "10.1.2.3:4711", []string{"192.0.2.1", "203.0.113.1"}, false},
		{"forged behind an untrusted proxy", proxied, "10.1.2.3:4711", []string{"192.0.2.1, 203.0.113.1, 10.9.9.9"}, false},
		{"no address to the right", proxied, "10.1.2.3:4711", []string{"192.0.2.1, unknown"}, false},
		{"nothing to the right", proxied, "10.1.2.3:4711", []string{"192.0.2.1,"}, false},
		{"space to the right", proxied, "10.1.2.3:4711", []string{"192.0.2.1, "}, false},
		{"nobody but proxies", proxied, "10.1.2.3:4711", []string{"10.9.9.9"}, false},
		{"the proxy itself", proxied, "10.1.2.3:4711", nil, false},
		{"as many proxies as can be", proxied, "10.1.2.3:4711", []string{"192.0.2.1" + strings.Repeat(",10.0.0.1", maxHops-1)}, true},
		{"too many proxies", proxied, "10.1.2.3:4711", []string{"192.0.2.1" + strings.Repeat(",10.0.0.1", maxHops)}, false},
	} {
		r := request("/")
		r.RemoteAddr = tc.peer
		r.Header["X-Forwarded-For"] = tc.forwarded
		v := verifier(t, Options{IP: &tc.options}, 0)
		if tc.right {
			accepts(t, tc.name, v, r, "x")
		} else {
			refuses(t, tc.name, v, r, "x")
		}
	}
}

// FuzzForwarded has anybody write the header: a peer that isn't trusted is who
// it is, and behind one that is, the sender is in the header.
func FuzzForwarded(f *testing.F) {
	f.Add("203.0.113.1:4711", "192.0.2.1, 10.9.9.9")
	f.Add("10.1.2.3:4711", "192.0.2.1:80,[2001:db8::1]:80 , fe80::1%eth0,::ffff:10.0.0.1")
	f.Add("10.1.2.3:4711", ",,")
	f.Add("@", "")
	s := &ip{trusted: networks([]string{"10.0.0.0/8"})}
	f.Fuzz(func(t *testing.T, peer, forwarded string) {
		r := request("/")
		r.RemoteAddr = peer
		r.Header["X-Forwarded-For"] = []string{forwarded}
		got, err := s.sender(r)
		if err != nil {
			return
		}
		from := []netip.Addr{}
		at, err := parseAddress(peer)
		if err != nil {
			t.Fatalf("got sender %s of no peer", got)
		}
		from = append(from, at)
		if contains(s.trusted, at) {
			for _, each := range strings.Split(forwarded, ",") {
				if a, err := parseAddress(strings.Trim(each, " \t")); err == nil {
					from = append(from, a)
				}
			}
		}
		if !slices.Contains(from, got) {
			t.Fatalf("got sender %s, want one of %v", got, from)
		}
	})
}
