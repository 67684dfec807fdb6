package cluster

import (
	"fmt"
	"strconv"
	"testing"
)

const gatewayPods = "app.kubernetes.io/instance=gateway,app.kubernetes.io/component=gateway"

// The gateway, by Helm: in front of a stream whose events are numbered, which
// is another release of the chart. Clients get each number once and in order,
// while routes change and all pods are replaced.
func TestGateway(t *testing.T) {
	c := newCluster(t)
	install := func(release string, values string) {
		t.Helper()
		c.helm("upgrade", "--install", release, "../../helm/sidestream", "--values", values, "--wait", "--timeout="+patience.String())
	}
	numbers := map[string]any{
		"path": "/numbers", "linger": "1h",
		"history":  map[string]any{"events": 100_000, "bytes": "64MiB"},
		"generate": map[string]any{"every": "50ms", "data": "{{.N}}"},
	}
	install("source", values(t, map[string]any{"replicaCount": 1, "config": map[string]any{"table": map[string]any{"routes": []any{numbers}}}}))
	table := func(more ...any) string {
		t.Helper()
		route := map[string]any{"path": "/events/numbers", "retry": "1s", "sse": map[string]any{"url": "http://source-sidestream/numbers", "ids": "replay"}}
		return values(t, map[string]any{"config": map[string]any{"table": map[string]any{"routes": append([]any{route}, more...)}}})
	}
	install("gateway", table())
	c.helm("test", "gateway")

	var clients []client
	for i := range 3 {
		clients = append(clients, c.follow(fmt.Sprintf("client-%d", i), "http://gateway-sidestream/events/numbers"))
	}
	for _, client := range clients {
		client.await(0, 20)
	}

	before := c.pods(gatewayPods)
	install("gateway", table(map[string]any{"path": "/events/more", "generate": map[string]any{"every": "1s"}}))
	c.awaitReload(gatewayPods, before)
	c.follow("more", "http://gateway-sidestream/events/more").await(0, 1)
	for _, client := range clients {
		if _, returns := client.events(); returns != 0 {
			t.Errorf("%s: got %d returns by a change of other routes, want none", client.pod, returns)
		}
	}

	c.restart("gateway-sidestream", gatewayPods)
	for _, client := range clients {
		events, _ := client.events()
		client.await(len(events), 20)
		checkNumbers(t, client)
	}
	c.helm("uninstall", "gateway", "--wait", "--timeout="+patience.String())
	c.helm("uninstall", "source", "--wait", "--timeout="+patience.String())
	if left := c.pods("app.kubernetes.io/name=sidestream"); len(left) > 0 {
		t.Errorf("got pods %q after the releases were uninstalled, want none", left)
	}
}

// checkNumbers wants each number after the first to be one more, and the client
// to have come back at least once.
func checkNumbers(t *testing.T, c client) {
	t.Helper()
	events, returns := c.events()
	if returns == 0 {
		t.Errorf("%s: got no return while all pods were replaced, want some", c.pod)
	}
	last := 0
	for i, e := range events {
		n, err := strconv.Atoi(e.Data)
		if err != nil || last > 0 && n != last+1 {
			t.Errorf("%s: got event %d of %d with type %q and data %q after %d, want the next number", c.pod, i, len(events), e.Type, e.Data, last)
			return
		}
		last = n
	}
	t.Logf("%s: %d events in order, %d returns", c.pod, len(events), returns)
}
