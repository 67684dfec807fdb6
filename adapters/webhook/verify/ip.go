package verify

import (
	"net/http"
	"net/netip"
	"slices"
	"time"

	"sidestream/adapters"
)

// ip is the scheme of [IP].
type ip struct {
	mute
	allow []netip.Prefix
}

func newIP(_ string, o *IP) scheme {
	s := &ip{}
	for _, text := range o.Allow {
		if n, err := adapters.ParseNetwork(text); err == nil { // Check has nothing against them
			s.allow = append(s.allow, n)
		}
	}
	return s
}

func (s *ip) verify(r *http.Request, _ []byte, _ time.Time) error {
	from, ok := adapters.ParseAddress(r.RemoteAddr)
	if !ok {
		return refuse("the sender has no IP address")
	}
	if !slices.ContainsFunc(s.allow, func(n netip.Prefix) bool { return n.Contains(from) }) {
		return refuse("%s is not allowed", from)
	}
	return nil
}
