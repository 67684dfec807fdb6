package e2e

import (
	"context"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// natsCommandVersion is the version of NATS' command line that setup.sh
// builds.
const natsCommandVersion = "v0.3.0"

// natsCommand runs NATS' own command line against the server.
func natsCommand(t *testing.T, n *natsServer, args ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, cachedProgram(t, "nats-"+natsCommandVersion), append([]string{"--server", n.url}, args...)...)
	cmd.Env = append(os.Environ(), "XDG_CONFIG_HOME="+t.TempDir()) // no context of whoever runs the test
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("nats %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// What NATS' own tools create and publish is delivered, with the headers that
// they send along, before and after the server was killed.
func TestNATSCommandLine(t *testing.T) {
	n := startNATS(t)
	natsCommand(t, n, "stream", "add", "ORDERS", "--subjects", "orders.>", "--defaults")
	s := serve(t, `
defaults: {retry: 50ms, backoff: {min: 20ms, max: 200ms}, nats: {urls: ["`+n.url+`"]}}
routes:
  - path: /orders
    nats: {stream: ORDERS, start: all}
    event: {decode: text, type: '$headers.Kind', data: '$meta.subject + " " + .'}
`)
	natsCommand(t, n, "pub", "--header", "Kind:created", "--count", "3", "orders.eu", "no. {{Count}}")
	c := follow(t, s.url+"/orders")
	c.await(t, 3)
	n.restart(t)
	natsCommand(t, n, "pub", "--header", "Kind:paid", "orders.us", "no. 4")
	wait(t, "an event after the restart", func() (any, bool) { return c.events(), c.has("paid") })
	var got []string
	for _, e := range c.events() {
		if !strings.HasPrefix(e.Type, "stream.") {
			got = append(got, e.Type+": "+e.Data)
		}
	}
	want := []string{"created: orders.eu no. 1", "created: orders.eu no. 2", "created: orders.eu no. 3", "paid: orders.us no. 4"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
