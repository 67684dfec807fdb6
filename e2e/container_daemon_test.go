package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A daemon is a Docker daemon of the test's own, with nothing in it and with
// no network: what it runs has the machine's.
type daemon struct {
	*process
	dir string
	env []string // of the docker command
}

// startDocker starts a daemon, which ends with the test, and so does all that
// it runs.
func startDocker(tb testing.TB) *daemon {
	tb.Helper()
	if os.Getuid() != 0 {
		tb.Fatal("got an ordinary user, want root: only root can run a Docker daemon (sudo -E go test …)")
	}
	dir, err := os.MkdirTemp("", "sidestream-docker-") //nolint:usetesting // the path of a socket has to be short
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := errors.Join(unmountAll(dir), os.RemoveAll(dir)); err != nil {
			tb.Errorf("what the Docker daemon leaves behind: %v", err)
		}
	})
	host := "unix://" + filepath.Join(dir, "docker.sock")
	d := &daemon{dir: dir, env: append(os.Environ(),
		"DOCKER_HOST="+host,
		"DOCKER_CONFIG="+filepath.Join(dir, "client"), // not the user's
		"DOCKER_BUILDKIT=0",                           // which not every docker command comes with
	)}
	config := filepath.Join(dir, "daemon.json") // not the machine's
	writeFile(tb, config, "{}")
	namespace := filepath.Base(dir) // where the machine runs a containerd, that is used
	d.process = launch(tb, "dockerd", "--config-file", config, "--host", host,
		"--containerd-namespace", namespace, "--containerd-plugins-namespace", namespace+"-plugins",
		"--data-root", filepath.Join(dir, "data"), "--exec-root", filepath.Join(dir, "exec"), "--pidfile", filepath.Join(dir, "docker.pid"),
		"--bridge=none", "--iptables=false", "--ip6tables=false", "--shutdown-timeout=5")
	tb.Cleanup(func() {
		if !d.running() {
			return
		}
		d.removeAll(tb)
		d.signal(tb, syscall.SIGTERM) // to be killed, it would leave mounts and containerd behind
		waitFor(tb, time.Minute, "the Docker daemon to end", func() (any, bool) { return "a running one", !d.running() })
	})
	waitFor(tb, time.Minute, "a Docker daemon", func() (any, bool) {
		if !d.running() {
			tb.Fatalf("got an end of dockerd with code %d, want it running; does this machine allow it to mount and to make control groups?",
				d.cmd.ProcessState.ExitCode())
		}
		out, err := d.try(tb, nil, "version", "--format", "{{.Server.Version}}")
		return out + fmt.Sprint(err), err == nil
	})
	return d
}

// unmountAll unmounts what is mounted below dir. A daemon leaves a mount of the
// machine's network behind.
func unmountAll(dir string) error {
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(mounts)) {
		if fields := strings.Fields(line); len(fields) > 1 && strings.HasPrefix(fields[1], dir+"/") {
			err = errors.Join(err, syscall.Unmount(fields[1], syscall.MNT_DETACH))
		}
	}
	return err
}

// removeAll kills all containers.
func (d *daemon) removeAll(tb testing.TB) {
	tb.Helper()
	ids, err := d.try(tb, nil, "ps", "--all", "--quiet")
	if err == nil && ids != "" {
		_, err = d.try(tb, nil, append([]string{"rm", "--force", "--volumes"}, strings.Fields(ids)...)...)
	}
	if err != nil {
		tb.Errorf("remove the containers: %v", err)
	}
}

// try runs the docker command and returns what it prints, without the space
// around it. The error has what it complains of.
func (d *daemon) try(tb testing.TB, stdin io.Reader, args ...string) (string, error) {
	tb.Helper()
	// Not the test's context: it is done before the cleanup.
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "docker", args...)
	var out, complaints bytes.Buffer
	cmd.Env, cmd.Stdin, cmd.Stdout, cmd.Stderr = d.env, stdin, &out, &complaints
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("docker %s: %w: %s", args[0], err, complaints.String())
	}
	return strings.TrimSpace(out.String()), nil
}

// docker runs the docker command, which has to succeed.
func (d *daemon) docker(tb testing.TB, args ...string) string {
	tb.Helper()
	out, err := d.try(tb, nil, args...)
	if err != nil {
		tb.Fatalf("%v\n%s", err, out)
	}
	return out
}

// once runs a container to its end and returns what it wrote and its exit
// code.
func (d *daemon) once(tb testing.TB, args ...string) (output string, code int) {
	tb.Helper()
	out, err := d.try(tb, nil, append([]string{"run", "--rm"}, args...)...)
	var exit *exec.ExitError
	switch {
	case err == nil:
		return out, 0
	case errors.As(err, &exit):
		return out + err.Error(), exit.ExitCode()
	default:
		tb.Fatal(err)
		return "", 0
	}
}

// stream runs the docker command and hands read what it prints.
func (d *daemon) stream(tb testing.TB, read func(io.Reader) error, args ...string) {
	tb.Helper()
	cmd := exec.CommandContext(tb.Context(), "docker", args...)
	cmd.Env = d.env
	out, err := cmd.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	err = read(out)
	_, _ = io.Copy(io.Discard, out) // so that it isn't held up
	if err := errors.Join(err, cmd.Wait()); err != nil {
		tb.Fatalf("docker %s: %v", args[0], err)
	}
}

// An imageInfo is what "docker image inspect" says of an image.
type imageInfo struct {
	Size   int64 // of its files, in bytes
	Config struct {
		User, WorkingDir, StopSignal string
		Env, Entrypoint, Cmd         []string
		ExposedPorts, Volumes        map[string]struct{}
		Healthcheck                  struct{ Test []string }
		Labels                       map[string]string
	}
}

func (d *daemon) inspectImage(tb testing.TB, image string) imageInfo {
	tb.Helper()
	var list []imageInfo
	if err := json.Unmarshal([]byte(d.docker(tb, "image", "inspect", image)), &list); err != nil || len(list) != 1 {
		tb.Fatalf("image %s: got %d descriptions, error %v; want one", image, len(list), err)
	}
	return list[0]
}
