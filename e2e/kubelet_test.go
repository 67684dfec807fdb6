package e2e

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"sidestream/e2e/kube"
)

// A pod runs what a rendered pod specification says, as a kubelet would, with
// processes in place of containers: those of Sidestream's image with the
// binary under test, the others with a substitute in this process. Commands,
// arguments, variables, probes, hooks, the order of start and end, and the
// grace period are taken as they were rendered. Two things differ:
//
//   - Processes share the machine's files. Where a path below a container's
//     mounts stands in a command, an argument, a variable or a mounted file,
//     the place of the mounted volume stands there in its stead.
//   - Pods share the loopback interface. Two of them at a time need different
//     ports, which they get by the values that they are rendered with.
type pod struct {
	tb     testing.TB
	name   string
	spec   corev1.PodSpec
	labels map[string]string
	set    kube.Set                        // where ConfigMaps and Secrets are
	apps   map[string]func() (stop func()) // by the name of the container
	dir    string
	run    []*podContainer
	ended  chan struct{} // closed when the pod is told to leave

	mu       sync.Mutex // guards all that follows
	left     time.Time  // when the pod was told to leave; zero: not yet
	problems []error
}

// A podContainer is one of a pod that has been started.
type podContainer struct {
	pod     *pod
	spec    corev1.Container
	env     []string
	process *process // nil: a substitute
	stop    func()   // of a substitute
	probing sync.WaitGroup
	quit    context.CancelFunc // ends its probes; nil: it has none yet

	mu    sync.Mutex
	ready bool
}

// What the image's Dockerfile says.
const imageBinary = "/sidestream"

var imageCommand = []string{"serve"}

// startPod starts the pod of a Deployment in a set, and returns when all of it
// is ready. Containers without an entry in apps are Sidestream's.
func startPod(tb testing.TB, set kube.Set, deployment string, apps map[string]func() (stop func())) *pod {
	tb.Helper()
	template := podTemplate(tb, set, deployment)
	p := &pod{
		tb: tb, name: fmt.Sprintf("%s-%d", deployment, freePort(tb)), spec: template.Spec, labels: template.Labels, set: set, apps: apps,
		dir: tb.TempDir(), ended: make(chan struct{}),
	}
	p.layVolumes()
	tb.Cleanup(func() {
		for _, c := range slices.Backward(p.run) {
			c.kill()
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		if err := errors.Join(p.problems...); err != nil {
			tb.Errorf("pod %s: %v", p.name, err)
		}
	})
	// Init containers start one after the other, and those that go on count
	// as started when their probe says so.
	for _, spec := range p.spec.InitContainers {
		if spec.RestartPolicy == nil || *spec.RestartPolicy != corev1.ContainerRestartPolicyAlways {
			tb.Fatalf("got an init container %s that ends, want only sidecars", spec.Name)
		}
		p.start(spec).awaitStarted()
	}
	var started []*podContainer
	for _, spec := range p.spec.Containers {
		started = append(started, p.start(spec))
	}
	for _, c := range started {
		c.awaitStarted()
	}
	waitFor(tb, 3*patience, "the pod ready", func() (any, bool) { return "some container unready", p.ready() })
	return p
}

// podTemplate returns what a Deployment makes its pods of.
func podTemplate(tb testing.TB, set kube.Set, deployment string) *corev1.PodTemplateSpec {
	tb.Helper()
	o := set.Find("Deployment", deployment)
	if o == nil {
		tb.Fatalf("got no Deployment %s in %v, want one", deployment, set)
	}
	template, err := kube.Pod(*o)
	if err != nil {
		tb.Fatal(err)
	}
	return template
}

// ready reports whether every container is.
func (p *pod) ready() bool {
	return !slices.ContainsFunc(p.run, func(c *podContainer) bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return !c.ready
	})
}

// reachable reports whether a Service leads to the pod.
func (p *pod) reachable() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.left.IsZero() {
		return p.ready()
	}
	return time.Since(p.left) < lag
}

// wrong notes what makes the test fail.
func (p *pod) wrong(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.problems = append(p.problems, fmt.Errorf(format, args...))
}

// port returns the number of a port of the pod.
func (p *pod) port(name string) int32 {
	p.tb.Helper()
	port := kube.TargetPort(p.spec, intstr.FromString(name))
	if port == 0 {
		p.tb.Fatalf("got no port %s, want one", name)
	}
	return port
}

// start starts a container.
func (p *pod) start(spec corev1.Container) *podContainer {
	p.tb.Helper()
	c := &podContainer{pod: p, spec: spec}
	env := c.environment()
	for name, value := range env {
		c.env = append(c.env, name+"="+c.local(value))
	}
	if substitute, ok := p.apps[spec.Name]; ok {
		c.stop = substitute()
	} else {
		command := append(slices.Clone(spec.Command), spec.Args...)
		if len(spec.Command) == 0 {
			command = append([]string{imageBinary}, spec.Args...)
			if len(spec.Args) == 0 {
				command = append(command, imageCommand...)
			}
		}
		for i := range command {
			command[i] = c.local(expand(command[i], env))
		}
		if command[0] == imageBinary {
			command[0] = os.Getenv(binaryVar)
		}
		cmd := exec.Command(command[0], command[1:]...)
		cmd.Env = c.env
		cmd.Dir = cmp.Or(c.local(spec.WorkingDir), p.dir)
		c.process = launchCommand(p.tb, cmd)
	}
	p.run = append(p.run, c)
	return c
}

// kill ends a container at once, if it still runs.
func (c *podContainer) kill() {
	c.stopProbes()
	if c.process != nil {
		c.process.kill()
		return
	}
	c.stop()
}

// awaitReload waits until Sidestream has taken over n changes of its table.
func (p *pod) awaitReload(tb testing.TB, n int) {
	tb.Helper()
	wait(tb, fmt.Sprintf("%d reloads", n), func() (any, bool) {
		_, body, err := fetch(p.admin() + "/metrics")
		return fmt.Sprintf("%.4000s %v", body, err), strings.Contains(body, fmt.Sprintf("sidestream_config_reloads_total{result=\"success\"} %d\n", n))
	})
}

// admin returns the URL of Sidestream's admin listener.
func (p *pod) admin() string { return fmt.Sprintf("http://127.0.0.1:%d", p.port("sidestream-ops")) }
