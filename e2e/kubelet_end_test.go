package e2e

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// leave ends the pod, and checks that it says in time that it isn't ready any
// more.
func (p *pod) leave(tb testing.TB) {
	tb.Helper()
	left := make(chan struct{})
	go func() {
		defer close(left)
		p.terminate()
	}()
	defer func() { <-left }()
	waitFor(tb, 2*patience, "/readyz to say 503", func() (any, bool) {
		code, _, err := fetch(p.admin() + "/readyz")
		return fmt.Sprint(code, err), code == http.StatusServiceUnavailable
	})
}

// terminate ends the pod as a kubelet does, and checks that it keeps within
// its grace period and that each process ends with code 0.
func (p *pod) terminate() {
	p.tb.Helper()
	start := time.Now()
	p.mu.Lock()
	p.left = start
	p.mu.Unlock()
	close(p.ended)
	grace := 30 * time.Second
	if s := p.spec.TerminationGracePeriodSeconds; s != nil {
		grace = time.Duration(*s) * time.Second
	}
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	// All hooks run at once. Then those that go on end last, in the order in
	// which they did not start.
	var group sync.WaitGroup
	ends := make([]chan struct{}, len(p.run))
	for i := range ends {
		ends[i] = make(chan struct{})
	}
	for i, c := range p.run {
		group.Go(func() {
			defer close(ends[i])
			c.hook(ctx)
			if c.spec.RestartPolicy != nil {
				for _, end := range ends[i+1:] {
					<-end
				}
			}
			c.terminate(ctx)
		})
	}
	group.Wait()
	p.tb.Logf("pod %s: ended after %v of %v", p.name, time.Since(start).Round(time.Millisecond), grace)
}

// terminate tells the container to end, and waits until it has. It runs outside
// of the test's goroutine.
func (c *podContainer) terminate(ctx context.Context) {
	if c.process == nil {
		c.stopProbes()
		c.stop()
		return
	}
	if err := c.process.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		c.pod.wrong("container %s: got %v on SIGTERM, want it running until then", c.spec.Name, err)
	}
	select {
	case <-c.process.exited:
		if got := c.process.cmd.ProcessState.ExitCode(); got != 0 {
			c.pod.wrong("container %s: got exit code %d, want 0", c.spec.Name, got)
		}
	case <-ctx.Done():
		c.pod.wrong("container %s: got no end within the grace period", c.spec.Name)
	}
	c.kill()
}

// hook runs preStop.
func (c *podContainer) hook(ctx context.Context) {
	if c.spec.Lifecycle == nil || c.spec.Lifecycle.PreStop == nil {
		return
	}
	var err error
	switch hook := c.spec.Lifecycle.PreStop; {
	case hook.Sleep != nil:
		timer := time.NewTimer(time.Duration(hook.Sleep.Seconds) * time.Second)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			err = ctx.Err()
		}
	case hook.Exec != nil:
		err = c.exec(ctx, hook.Exec.Command)
	default:
		err = fmt.Errorf("unknown: %v", hook)
	}
	if err != nil {
		c.pod.wrong("container %s: preStop: %w", c.spec.Name, err)
	}
}

// exec runs a command in the container.
func (c *podContainer) exec(ctx context.Context, command []string) error {
	name := c.local(command[0])
	if name == imageBinary {
		name = os.Getenv(binaryVar)
	}
	cmd := exec.CommandContext(ctx, name, command[1:]...)
	cmd.Env = c.env
	cmd.Dir = c.pod.dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", strings.Join(command, " "), err, out)
	}
	return nil
}
