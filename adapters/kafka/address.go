package kafka

import (
	"errors"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// defaultPort is where a broker listens unless it is told otherwise.
const defaultPort = "9092"

// splitBrokers returns the addresses in text: one, or several with commas
// between them, as Kafka's bootstrap.servers has them.
func splitBrokers(text string) []string {
	list := strings.Split(text, ",")
	for i := range list {
		list[i] = strings.TrimSpace(list[i])
	}
	return list
}

// parseAddress returns text as host:port, with the default port if it has
// none. Its errors hold nothing of the text, which may have a password where
// none should be.
func parseAddress(text string) (string, error) {
	switch {
	case text == "":
		return "", errNoAddress
	case strings.Contains(text, "://"):
		return "", errScheme
	case strings.Contains(text, "@"):
		return "", errUser
	}
	if ip, err := netip.ParseAddr(text); err == nil && ip.Is6() {
		return "", errBrackets
	}
	host, port, err := net.SplitHostPort(text)
	if err != nil {
		// The port is missing, or all is wrong.
		if host, port, err = net.SplitHostPort(text + ":" + defaultPort); err != nil {
			return "", errAddress
		}
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return "", errPort
	}
	if _, err := netip.ParseAddr(host); err != nil && !plainHost(host) {
		return "", errAddress
	}
	return net.JoinHostPort(host, port), nil
}

// plainHost reports whether host can be a name. Underscores are no part of
// one, but container networks have them.
func plainHost(host string) bool {
	return host != "" && len(host) <= 255 && !strings.ContainsFunc(host, func(r rune) bool {
		return r != '.' && r != '-' && r != '_' && !letterOrDigit(r)
	})
}

var (
	errNoAddress = errors.New("is empty; a broker's address is host:port")
	errScheme    = errors.New(`a broker's address is host:port, without kafka:// or another scheme; "tls: {enabled: true}" asks for TLS`)
	errUser      = errors.New("a broker's address holds no user or password; sasl is for them")
	errBrackets  = errors.New("an IPv6 address stands in brackets: [::1]:9092")
	errPort      = errors.New("a broker's address ends with its port, from 1 to 65535")
	errAddress   = errors.New("is no broker's address, such as kafka:9092, 10.0.0.1:9092 or [::1]:9092")
)
