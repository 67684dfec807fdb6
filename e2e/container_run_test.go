package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
)

// restricted are the options under which the image runs in all tests: those
// that Kubernetes' restricted policy demands, and a root that can't be written.
var restricted = []string{"--network", "host", "--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"}

// A container runs the image.
type container struct {
	d          *daemon
	id         string
	url, admin string
	config     string // the routing table's file
}

// serve starts the image with a routing table and returns when it is
// healthy.
func (i *imageTest) serve(tb testing.TB, routes string, options ...string) *container {
	tb.Helper()
	c := i.start(tb, routes, fmt.Sprintf("127.0.0.1:%d", freePort(tb)), options...)
	c.awaitHealth(tb, "healthy")
	return c
}

func (i *imageTest) start(tb testing.TB, routes, admin string, options ...string) *container {
	tb.Helper()
	config := filepath.Join(tb.TempDir(), "routes.yaml")
	writeFile(tb, config, routes)
	listen := fmt.Sprintf("127.0.0.1:%d", freePort(tb))
	c := &container{d: i.daemon, url: "http://" + listen, admin: "http://" + admin, config: config}
	c.run(tb, slices.Concat([]string{
		"--health-interval", "1s", "--health-start-period", "1ms", "--volume", filepath.Dir(config) + ":/etc/sidestream:ro",
		"--env", "SIDESTREAM_LISTEN=" + listen, "--env", "SIDESTREAM_ADMIN=" + admin,
	}, restricted, options, []string{i.name})...)
	return c
}

// run starts the container, which ends with the test.
func (c *container) run(tb testing.TB, args ...string) {
	tb.Helper()
	c.id = c.d.docker(tb, append([]string{"run", "--detach"}, args...)...)
	tb.Cleanup(func() {
		if tb.Failed() {
			log := c.log(tb)
			tb.Logf("the end of the container's log:\n%s", log[max(0, len(log)-16<<10):])
		}
		c.d.docker(tb, "rm", "--force", c.id)
	})
}

func (c *container) awaitHealth(tb testing.TB, want string) {
	tb.Helper()
	waitFor(tb, 3*patience, "a container that is "+want, func() (any, bool) {
		got := c.state(tb)
		if !got.Running {
			tb.Fatalf("got an end with code %d, want it running", got.ExitCode)
		}
		return got.Health.Status, got.Health.Status == want
	})
}

// containerState is what "docker inspect" says of a container's state.
type containerState struct {
	Running       bool
	Pid, ExitCode int
	Health        struct {
		Status string
		Log    []struct{ Output string }
	}
}

func (c *container) state(tb testing.TB) (s containerState) {
	tb.Helper()
	if err := json.Unmarshal([]byte(c.d.docker(tb, "inspect", "--format", "{{json .State}}", c.id)), &s); err != nil {
		tb.Fatal(err)
	}
	return s
}

// log returns what the program has written to its standard error.
func (c *container) log(tb testing.TB) string {
	tb.Helper()
	cmd := exec.CommandContext(context.Background(), "docker", "logs", c.id) // the test may be over
	cmd.Env = c.d.env
	out, err := cmd.CombinedOutput()
	if err != nil {
		tb.Errorf("docker logs: %v", err)
	}
	return string(out)
}

// stop asks the container to end, and returns the exit code of the program.
func (c *container) stop(tb testing.TB) int {
	tb.Helper()
	c.d.docker(tb, "stop", "--time", "60", c.id)
	return c.state(tb).ExitCode
}
