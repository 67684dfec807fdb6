package e2e

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
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
		env := c.environment()
		for i := range command {
			command[i] = c.local(expand(command[i], env))
		}
		if command[0] == imageBinary {
			command[0] = os.Getenv(binaryVar)
		}
		var pairs []string
		for name, value := range env {
			pairs = append(pairs, name+"="+c.local(value))
		}
		cmd := exec.Command(command[0], command[1:]...)
		cmd.Env = pairs
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

// environment returns the variables of a container, those of the image
// included.
func (c *podContainer) environment() map[string]string {
	c.pod.tb.Helper()
	env := map[string]string{"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOSTNAME": c.pod.name, "SIDESTREAM_CONFIG": "/etc/sidestream/routes.yaml"}
	for _, from := range c.spec.EnvFrom {
		var values map[string]string
		switch {
		case from.ConfigMapRef != nil:
			values = c.pod.values("ConfigMap", from.ConfigMapRef.Name, from.ConfigMapRef.Optional)
		case from.SecretRef != nil:
			values = c.pod.values("Secret", from.SecretRef.Name, from.SecretRef.Optional)
		}
		for key, value := range values {
			env[from.Prefix+key] = value
		}
	}
	for _, v := range c.spec.Env {
		if v.ValueFrom == nil {
			env[v.Name] = expand(v.Value, env)
			continue
		}
		if value, ok := c.valueFrom(v.ValueFrom); ok {
			env[v.Name] = value
		}
	}
	return env
}

// valueFrom returns the value of a variable that is somewhere else.
func (c *podContainer) valueFrom(from *corev1.EnvVarSource) (value string, ok bool) {
	c.pod.tb.Helper()
	switch {
	case from.SecretKeyRef != nil:
		value, ok = c.pod.values("Secret", from.SecretKeyRef.Name, from.SecretKeyRef.Optional)[from.SecretKeyRef.Key]
	case from.ConfigMapKeyRef != nil:
		value, ok = c.pod.values("ConfigMap", from.ConfigMapKeyRef.Name, from.ConfigMapKeyRef.Optional)[from.ConfigMapKeyRef.Key]
	case from.FieldRef != nil:
		value, ok = map[string]string{
			"metadata.name": c.pod.name, "metadata.namespace": "default", "metadata.uid": c.pod.name,
			"spec.nodeName": "node", "spec.serviceAccountName": cmp.Or(c.pod.spec.ServiceAccountName, "default"),
			"status.podIP": "127.0.0.1", "status.hostIP": "127.0.0.1",
		}[from.FieldRef.FieldPath]
		if !ok {
			c.pod.tb.Fatalf("got a variable from %s, want a field that a kubelet knows", from.FieldRef.FieldPath)
		}
	case from.ResourceFieldRef != nil:
		limit := c.spec.Resources.Limits.Name(corev1.ResourceName(strings.TrimPrefix(from.ResourceFieldRef.Resource, "limits.")), "")
		if limit.IsZero() {
			c.pod.tb.Fatalf("got a variable from %s, want a limit that is set", from.ResourceFieldRef.Resource)
		}
		value, ok = strconv.FormatInt(limit.Value(), 10), true
	}
	return value, ok
}

// variableReference is one of a variable to another: $(NAME), and $$(NAME) for none.
var variableReference = regexp.MustCompile(`\$?\$\(([A-Za-z_][A-Za-z0-9_.-]*)\)`)

// expand replaces references in a value. Unknown ones stay.
func expand(value string, env map[string]string) string {
	return variableReference.ReplaceAllStringFunc(value, func(match string) string {
		if strings.HasPrefix(match, "$$") {
			return match[1:]
		}
		if v, ok := env[match[2:len(match)-1]]; ok {
			return v
		}
		return match
	})
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
	for name, value := range c.environment() {
		cmd.Env = append(cmd.Env, name+"="+c.local(value))
	}
	cmd.Dir = c.pod.dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", strings.Join(command, " "), err, out)
	}
	return nil
}
