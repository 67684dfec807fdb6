package proxy

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/rs/zerolog"

	"sidestream/adapters"
	"sidestream/proxy/strictyaml"
)

// trust is in whom the table trusts to say where requests come from. The zero
// value trusts nobody.
type trust struct {
	networks []netip.Prefix
	sockets  bool // in those who connect to a Unix socket, who have no address
}

// The words that may stand in trusted_proxies in place of a network.
const (
	trustPrivate = "private"
	trustUnix    = "unix"
)

// maxHops bounds how many entries of X-Forwarded-For are read.
const maxHops = 32

// privateNetworks are what "private" stands for: loopback and link-local
// addresses, and those of RFC 1918 and RFC 4193.
var privateNetworks = []netip.Prefix{
	netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128"),
	netip.MustParsePrefix("169.254.0.0/16"), netip.MustParsePrefix("fe80::/10"),
	netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("172.16.0.0/12"), netip.MustParsePrefix("192.168.0.0/16"),
	netip.MustParsePrefix("fc00::/7"),
}

// trust returns what the table's trusted_proxies say.
func (l *loader) trust(list []string) (t trust) {
	for i, text := range list {
		switch text {
		case trustPrivate:
			t.networks = append(t.networks, privateNetworks...)
			continue
		case trustUnix:
			t.sockets = true
			continue
		}
		n, err := adapters.ParseNetwork(text)
		switch {
		case errors.Is(err, adapters.ErrEverybody):
			err = fmt.Errorf("%w, and anybody could write any address into X-Forwarded-For; name the proxies", err)
		case err != nil && !strings.ContainsAny(text, "0123456789"):
			err = fmt.Errorf(`%w; "private" stands for all private networks, and "unix" for whoever connects to a Unix socket`, err)
		}
		if err != nil {
			path := fmt.Sprintf("trusted_proxies[%d]", i)
			l.doc.Errorf(strictyaml.Find(l.doc.Root, path), path, "%v", err)
			continue
		}
		t.networks = append(t.networks, n)
	}
	return t
}

// in reports whether t trusts in the peer with the address a, which isn't
// valid for one on a Unix socket.
func (t *trust) in(a netip.Addr) bool {
	if !a.IsValid() {
		return t.sockets
	}
	return slices.ContainsFunc(t.networks, func(n netip.Prefix) bool { return n.Contains(a) })
}

// settle makes a request say where it comes from as far as t trusts in that,
// before anything else looks at it. Its RemoteAddr is the client's address from
// then on, without a port if proxies have said it, and its X-Forwarded-For the
// addresses from there to the peer, the client's first. What a peer says that
// isn't trusted is gone; settle reports whether it has said something.
//
// It changes the request that it is given: a copy would not get the trailers
// that net/http adds when the body has been read.
func (t *trust) settle(r *http.Request) (distrusted bool) {
	peer, _ := adapters.ParseAddress(r.RemoteAddr)
	trusted := t.in(peer)
	var said []string
	if trusted {
		said = r.Header["X-Forwarded-For"]
	}
	for name := range r.Header {
		if spelling := forwardingHeader(name); spelling != "" && (!trusted || !strings.EqualFold(spelling, name)) {
			delete(r.Header, name)
			distrusted = distrusted || !trusted
		}
	}
	from := t.path(peer, said)
	switch {
	case len(from) == 0:
		delete(r.Header, "X-Forwarded-For")
		return distrusted
	case from[0] != peer:
		r.RemoteAddr = from[0].String()
	}
	texts := make([]string, len(from))
	for i, a := range from {
		texts[i] = a.String()
	}
	r.Header["X-Forwarded-For"] = []string{strings.Join(texts, ", ")}
	return distrusted
}

// settle makes a request say where it comes from. It complains, once, if that
// is from what looks like a proxy that the table doesn't name: an application
// behind may redirect for ever if it isn't told of https.
func (t *table) settle(r *http.Request, log *zerolog.Logger) {
	if !t.config.trusted.settle(r) {
		return
	}
	peer, _ := adapters.ParseAddress(r.RemoteAddr)
	if nearby := (trust{networks: privateNetworks, sockets: true}); nearby.in(peer) {
		t.distrusted.Do(func() {
			log.Warn().Str("peer", r.RemoteAddr).Msg("X-Forwarded-* and the like are dropped, since trusted_proxies doesn't name who sends them")
		})
	}
}

// path returns the addresses that a request came from and through, the
// client's first and the peer's last: from the peer on as X-Forwarded-For has
// them, read from the right, to the first in which t doesn't trust. What stands
// further left is whatever the client likes. An entry that is no address, or
// one too many, ends the path too.
func (t *trust) path(peer netip.Addr, said []string) []netip.Addr {
	var path []netip.Addr
	if peer.IsValid() {
		path = append(path, peer)
	}
	at := peer
	entries := backwards(said)
	for range maxHops {
		text, more := entries()
		if !more || !t.in(at) {
			break
		}
		a, ok := adapters.ParseAddress(text)
		if !ok {
			break
		}
		path, at = append(path, a), a
	}
	slices.Reverse(path)
	return path
}

// backwards returns a function that yields the entries of a header that is a
// list, the last one first.
func backwards(lines []string) func() (entry string, ok bool) {
	i := len(lines)
	rest, some := "", false
	return func() (string, bool) {
		if !some {
			if i--; i < 0 {
				return "", false
			}
			rest, some = lines[i], true
		}
		entry := rest
		if comma := strings.LastIndexByte(rest, ','); comma >= 0 {
			rest, entry = rest[:comma], rest[comma+1:]
		} else {
			some = false
		}
		return strings.Trim(entry, " \t"), true
	}
}

// forwardingHeader returns the plain name, in lower case, of a header that says
// where a request comes from; "" for others. Applications in the manner of CGI
// (RFC 3875 section 4.1.18) don't tell an underscore in a name from a hyphen.
func forwardingHeader(name string) string {
	if len(name) < len("forwarded") || name[0]|0x20 != 'x' && name[0]|0x20 != 'f' {
		return ""
	}
	name = strings.ToLower(strings.ReplaceAll(name, "_", "-"))
	if name == "forwarded" || name == "x-real-ip" || strings.HasPrefix(name, "x-forwarded-") {
		return name
	}
	return ""
}
