package proxy

import (
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/rs/zerolog"

	"sidestream/adapters"
	"sidestream/proxy/strictyaml"
)

// trust are the peers that the table trusts to say where requests come from.
// The zero value trusts nobody.
type trust []Network

// maxHops bounds how many entries of X-Forwarded-For are read.
const maxHops = 32

// trust complains of trusted_proxies that leave nobody out.
func (l *loader) trust(list []Network) {
	for i := range list {
		if n, all := list[i].everybody(); all {
			path := fmt.Sprintf("trusted_proxies[%d]", i)
			l.doc.Errorf(strictyaml.Find(l.doc.Root, path), path, "%s is everybody, and anybody could write any address into X-Forwarded-For; name the proxies", n)
		}
	}
}

// settle makes a request say where it comes from as far as t trusts in that,
// before anything else looks at it. Its RemoteAddr is the client's address from
// then on, without a port if proxies have said it, and its X-Forwarded-For the
// addresses from there to the peer, the client's first. X-Real-IP is that of the
// client too, if a trusted peer has sent either of the two: proxies may pass on
// what clients have written there. What a peer says that
// isn't trusted is gone; settle reports whether it has said something.
//
// It changes the request that it is given: a copy would not get the trailers
// that net/http adds when the body has been read.
func (t trust) settle(r *http.Request) (distrusted bool) {
	peer, _ := adapters.ParseAddress(r.RemoteAddr)
	trusted := hasPeer(t, peer)
	var said []string
	told := false
	if trusted {
		said = r.Header["X-Forwarded-For"]
		told = len(said) > 0 || len(r.Header["X-Real-Ip"]) > 0
		delete(r.Header, "X-Real-Ip")
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
	if told {
		r.Header["X-Real-Ip"] = texts[:1]
	}
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
	if hasPeer([]Network{{local: true}, privateNetworks}, peer) {
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
func (t trust) path(peer netip.Addr, said []string) []netip.Addr {
	var path []netip.Addr
	if peer.IsValid() {
		path = append(path, peer)
	}
	at := peer
	entries := backwards(said)
	for range maxHops {
		text, more := entries()
		if !more || !hasPeer(t, at) {
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
