package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"sidestream/adapters"
)

func newHealthcheck() *cobra.Command {
	h := healthcheck{admin: "127.0.0.1:9090", timeout: 2 * time.Second}
	cmd := &cobra.Command{
		Use:   "healthcheck",
		Short: "Ask a running server whether it is well",
		Long: `Ask the admin listener of a server on this machine, or in this container or pod,
for /healthz. The exit code is 0 if it answers 200, and else 1, with a line that
says why. It is for images without a shell: HEALTHCHECK, exec probes.

An address without a host, or of all interfaces, is asked on loopback, so that
--admin may be what the server listens on.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return h.run(cmd.Context()) },
	}
	flags := cmd.Flags()
	flags.StringVar(&h.admin, "admin", h.admin, "address of the admin listener: host:port, or unix:/path")
	flags.BoolVar(&h.ready, "ready", false, "ask for /readyz instead, which a server that drains answers 503")
	flags.DurationVar(&h.timeout, "timeout", h.timeout, "how long to wait for the answer")
	return cmd
}

// healthcheck asks one question.
type healthcheck struct {
	admin   string
	ready   bool
	timeout time.Duration
}

// maxHealthAnswer is how much of an answer is read, in bytes.
const maxHealthAnswer = 1 << 20

// run returns nil if the answer is 200.
func (h *healthcheck) run(ctx context.Context) error {
	if h.timeout <= 0 {
		return fmt.Errorf("--timeout: %v is no time to wait; give one such as 2s", h.timeout)
	}
	network, address, err := dialable(h.admin)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, h.timeout)
	defer cancel()
	path := "/healthz"
	if h.ready {
		path = "/readyz"
	}
	// The host is not looked up: it is for the header alone.
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://localhost"+path, http.NoBody)
	if err != nil {
		return err
	}
	// No proxy of the environment, no redirect, no connection kept: what is
	// asked is this one listener.
	client := http.Client{
		Transport: &http.Transport{
			DisableKeepAlives: true,
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				var d net.Dialer
				return d.DialContext(ctx, network, address)
			},
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	resp, err := client.Do(req)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%s at %s: no answer within %v", path, address, h.timeout)
	case err != nil:
		return fmt.Errorf("%s at %s: %w", path, address, adapters.Quoteless(err))
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, maxHealthAnswer)) // so that the server sees no cut
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s at %s: the answer is %s, not 200", path, address, printable(resp.Status))
	}
	return nil
}

// dialable returns where to reach a listener on this machine that was told to
// listen on addr.
func dialable(addr string) (network, address string, err error) {
	if addr == "off" {
		return "", "", errors.New(`--admin: the admin listener is off, so there is nothing to ask; give it an address, such as 127.0.0.1:9090`)
	}
	if path, ok := strings.CutPrefix(addr, "unix:"); ok {
		if path == "" {
			return "", "", fmt.Errorf("--admin: %q names no socket; write unix:/path", addr)
		}
		return "unix", path, nil
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil || port == "" {
		return "", "", fmt.Errorf("--admin: %q is neither host:port nor unix:/path", addr)
	}
	if host == "" {
		host = "127.0.0.1" // a listener on all addresses of both families has this one
	} else if ip, err := netip.ParseAddr(host); err == nil && ip.IsUnspecified() {
		host = "127.0.0.1"
		if ip.Is6() {
			host = "::1"
		}
	}
	return "tcp", net.JoinHostPort(host, port), nil
}
