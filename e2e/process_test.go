package e2e

import (
	"bytes"
	"io"
	"os/exec"
	"sync"
	"syscall"
	"testing"
)

// A process is a program under test, with what it writes.
type process struct {
	cmd    *exec.Cmd
	output *transcript
	exited chan struct{} // closed when the program has ended
}

// launch starts a program. At the end of the test it is killed if it still
// runs, and what it wrote is shown if the test has failed.
func launch(tb testing.TB, name string, args ...string) *process {
	tb.Helper()
	return launchCommand(tb, exec.Command(name, args...))
}

// launchGroup starts a program that starts others, which are killed with it.
func launchGroup(tb testing.TB, name string, args ...string) *process {
	tb.Helper()
	cmd := exec.Command(name, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return launchCommand(tb, cmd)
}

// launchTo starts a program as launch does, and hands its standard output to
// stdout, if that isn't nil, in place of keeping it.
func launchTo(tb testing.TB, stdout io.Writer, name string, args ...string) *process {
	tb.Helper()
	cmd := exec.Command(name, args...)
	cmd.Stdout = stdout
	return launchCommand(tb, cmd)
}

// launchCommand starts cmd as launch does; what it says of its standard output
// stands.
func launchCommand(tb testing.TB, cmd *exec.Cmd) *process {
	tb.Helper()
	p := &process{cmd: cmd, output: &transcript{}, exited: make(chan struct{})}
	cmd.WaitDelay = patience // for those that it has started, and that hold its output
	cmd.Stderr = p.output
	if cmd.Stdout == nil {
		cmd.Stdout = p.output
	}
	if err := p.cmd.Start(); err != nil {
		tb.Fatalf("start %s: %v (setup.sh installs what the tests need)", cmd.Path, err)
	}
	go func() {
		defer close(p.exited)
		_ = p.cmd.Wait() // the tests look at the exit code
	}()
	tb.Cleanup(func() {
		p.kill()
		if tb.Failed() {
			tb.Logf("%s wrote:\n%s", cmd.Path, p.output.tail(16<<10))
		}
	})
	return p
}

// kill ends the program as a crash would, and waits for it.
func (p *process) kill() {
	if attr := p.cmd.SysProcAttr; attr != nil && attr.Setpgid && p.running() {
		_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
	}
	_ = p.cmd.Process.Kill() // it may be gone already
	<-p.exited
}

func (p *process) signal(tb testing.TB, s syscall.Signal) {
	tb.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		tb.Fatalf("signal %v: %v", s, err)
	}
}

// running reports whether the program has not ended.
func (p *process) running() bool {
	select {
	case <-p.exited:
		return false
	default:
		return true
	}
}

// exitCode waits for the program to end.
func (p *process) exitCode(tb testing.TB) int {
	tb.Helper()
	wait(tb, "the end of the process", func() (any, bool) { return "a running process", !p.running() })
	return p.cmd.ProcessState.ExitCode()
}

// A transcript is what a process has written so far.
type transcript struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *transcript) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *transcript) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// tail returns the last n bytes.
func (o *transcript) tail(n int) string {
	s := o.String()
	return s[max(0, len(s)-n):]
}
