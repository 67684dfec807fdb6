package verify

import "testing"

func TestIP(t *testing.T) {
	options := Options{IP: &IP{Allow: []string{"192.0.2.0/24", "198.51.100.7", "2001:db8::/32", "::ffff:203.0.113.9"}}}
	for _, tc := range []struct {
		name  string
		from  string
		right bool
	}{
		{"in a network", "192.0.2.255:4711", true},
		{"an address", "198.51.100.7:4711", true},
		{"without a port, as from behind a proxy", "198.51.100.7", true},
		{"IPv6", "[2001:db8:1::2]:4711", true},
		{"IPv6 without a port", "2001:db8:1::2", true},
		{"IPv6 with a zone", "[2001:db8::1%eth0]:4711", true},
		{"IPv4 as IPv6", "[::ffff:192.0.2.1]:4711", true},
		{"IPv4 configured as IPv6", "203.0.113.9:4711", true},
		{"beside the network", "192.0.3.0:4711", false},
		{"beside the address", "198.51.100.8:4711", false},
		{"other IPv6", "[2001:db9::1]:4711", false},
		{"a socket", "@", false},
		{"no address", "", false},
	} {
		r := request("/")
		r.RemoteAddr = tc.from
		r.Header.Set("X-Forwarded-For", "192.0.2.1") // says nothing here
		v := verifier(t, options, 0)
		if tc.right {
			accepts(t, tc.name, v, r, "x")
		} else {
			refuses(t, tc.name, v, r, "x")
		}
	}
}
