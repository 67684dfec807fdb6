package proxy

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
)

// unixPrefix is what an address starts with that is the path of a Unix-domain
// socket.
const unixPrefix = "unix:"

// maxSocketPath is the longest path of a socket, in bytes: sockaddr_un has
// room for 108, of which one ends it (unix(7)).
const maxSocketPath = 107

// socketPath returns the path in an address of a Unix-domain socket; ok is
// false if it is another address.
func socketPath(address string) (path string, ok bool) {
	return strings.CutPrefix(address, unixPrefix)
}

// splitAddress returns what package net calls an address that checkAddress has
// nothing against.
func splitAddress(address string) (network, name string) {
	if path, ok := socketPath(address); ok {
		return "unix", path
	}
	return "tcp", address
}

// checkAddress returns why nobody can listen at an address, or nil.
func checkAddress(address string) error {
	if path, ok := socketPath(address); ok {
		return checkSocketPath(path)
	}
	_, port, err := net.SplitHostPort(address)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return fmt.Errorf("%q is no address; write host:port or :port, such as :8080, or unix: and a path, such as unix:/run/sidestream/http.sock", address)
	}
	return nil
}

func checkSocketPath(path string) error {
	switch {
	case path == "":
		return errors.New("the path of the socket is missing; write one such as unix:/run/sidestream/http.sock")
	case !filepath.IsAbs(path):
		return fmt.Errorf("the path of a socket is written in full, from / on; %q isn't", path)
	case strings.ContainsRune(path, 0):
		return errors.New("the path of the socket has a zero byte in it")
	case len(path) > maxSocketPath:
		return fmt.Errorf("the path of the socket has %d bytes; the most is %d", len(path), maxSocketPath)
	}
	return nil
}

// sameAddress reports whether a and b can't be listened at both. Each listener
// at port 0 gets a port of its own.
func sameAddress(a, b string) bool {
	_, port, err := net.SplitHostPort(a)
	if n, bad := strconv.Atoi(port); err == nil && bad == nil && n == 0 {
		return false
	}
	return a == b
}

// socketURL returns what stands for the application at a socket: a URL with
// the scheme unix. Its requests are made in HTTP/1.1, without TLS.
func socketURL(path string) *url.URL { return &url.URL{Scheme: "unix", OmitHost: true, Path: path} }

// socketOf returns the path of the socket that u stands for, or "".
func socketOf(u *url.URL) string {
	if u.Scheme != "unix" {
		return ""
	}
	return u.Path
}
