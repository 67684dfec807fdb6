//go:build unix

package proxy

import "syscall"

// narrow has the file of a socket that isn't bound yet come to be without a bit
// that mode doesn't have. Linux does so; elsewhere it has no effect.
func narrow(mode FileMode) func(network, address string, c syscall.RawConn) error {
	return func(_, _ string, c syscall.RawConn) error {
		return c.Control(func(fd uintptr) { _ = syscall.Fchmod(int(fd), uint32(mode)) })
	}
}
