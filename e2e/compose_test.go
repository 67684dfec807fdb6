package e2e

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	compose "github.com/compose-spec/compose-go/v2/types"
)

// loadCompose reads compose.yaml as strictly as Docker Compose does.
func loadCompose(tb testing.TB) *compose.Project {
	tb.Helper()
	options, err := cli.NewProjectOptions([]string{filepath.Join(repository, "compose.yaml")},
		cli.WithName("sidestream"), cli.WithProfiles([]string{"*"}), cli.WithResolvedPaths(true))
	if err != nil {
		tb.Fatal(err)
	}
	project, err := options.LoadProject(tb.Context())
	if err != nil {
		tb.Fatalf("compose.yaml: %v", err)
	}
	return project
}

// compose.yaml is one that Docker Compose takes, its routing table one that
// Sidestream takes, and its containers can do no more than they need.
func TestCompose(t *testing.T) {
	project := loadCompose(t)
	if got, want := slices.Sorted(maps.Keys(project.Services)), []string{"app", "kafka", "nats", "nats-box", "sidestream"}; !slices.Equal(got, want) {
		t.Errorf("got services %q, want %q", got, want)
	}
	for name, s := range project.Services {
		if !slices.Equal(s.CapDrop, []string{"ALL"}) || !slices.Equal(s.SecurityOpt, []string{"no-new-privileges:true"}) || s.Privileged {
			t.Errorf("%s: got capabilities without %q and security options %q, want none and no new ones", name, s.CapDrop, s.SecurityOpt)
		}
		if tool := len(s.Profiles) > 0; !tool && s.HealthCheck == nil {
			t.Errorf("%s: got no health check, want one", name)
		}
		for _, p := range s.Ports {
			if p.HostIP != "127.0.0.1" {
				t.Errorf("%s: got port %s open at %q, want it on this machine only", name, p.Published, p.HostIP)
			}
		}
	}
	for _, name := range []string{"app", "nats", "sidestream"} {
		if !project.Services[name].ReadOnly {
			t.Errorf("%s: got a root that can be written, want one that can't", name)
		}
	}
	for _, name := range []string{"app", "nats", "kafka"} {
		if got := project.Services["sidestream"].DependsOn[name].Condition; got != compose.ServiceConditionHealthy {
			t.Errorf("got sidestream waiting for %s to be %q, want %q", name, got, compose.ServiceConditionHealthy)
		}
	}
	if stdout, stderr, code := run(t, "validate", composeTable(t, project)); code != 0 {
		t.Errorf("got %s%s and code %d, want a valid table", stdout, stderr, code)
	}
}

// composeTable returns the routing table that is mounted where the image looks
// for it.
func composeTable(tb testing.TB, project *compose.Project) string {
	tb.Helper()
	for _, v := range project.Services["sidestream"].Volumes {
		if v.Target == "/etc/sidestream" {
			return filepath.Join(v.Source, "routes.yaml")
		}
	}
	tb.Fatal("got nothing mounted at /etc/sidestream, want the routing table's directory")
	return ""
}

// compose runs the services of compose.yaml but for Kafka, each as it is
// described there, on a network that they have for themselves. Their images
// have the programs that the real ones have, but little else.
func (i *imageTest) compose(t *testing.T) {
	project := loadCompose(t)
	i.importImage(t, project.Services["app"].Image, func(a *archive) {
		a.file("bin/busybox", 0o755, staticBusybox(t))
		for _, command := range []string{"sh", "cat", "cp", "date", "httpd", "mkdir", "mv", "sleep", "wget"} {
			a.link("bin/"+command, "busybox")
		}
	}, "--change", "ENV PATH=/bin")
	i.importImage(t, project.Services["nats"].Image, func(a *archive) {
		a.file("bin/nats-server", 0o755, cachedProgram(t, "nats-server-"+natsServerVersion))
		a.file("bin/busybox", 0o755, staticBusybox(t))
		a.link("bin/wget", "busybox")
	}, "--change", "ENV PATH=/bin")
	box := project.Services["nats-box"]
	i.importImage(t, box.Image, func(a *archive) {
		a.file("bin/nats", 0o755, cachedProgram(t, "nats-"+natsCommandVersion))
		a.text("etc/passwd", "root:x:0:0:root:/root:/bin/sh\n") // it asks whose contexts to read
	}, "--change", "ENV PATH=/bin")
	i.docker(t, "tag", i.name, project.Services["sidestream"].Image)

	// The network is that of the first, where each is known by its name.
	first := []string{"--network", "none"}
	for name := range project.Services {
		first = append(first, "--add-host", name+":127.0.0.1")
	}
	app := i.runService(t, project.Services["app"], first...)
	shared := []string{"--network", "container:" + app.id}
	i.runService(t, project.Services["nats"], shared...)
	s := i.runService(t, project.Services["sidestream"], shared...)

	const url = "http://127.0.0.1:8080"
	tail := func(path string, count int) string {
		t.Helper()
		return i.docker(t, "exec", s.id, "/sidestream", "tail", "--json", "--count", strconv.Itoa(count), url+path)
	}
	if got := tail("/api/orders", 3); !strings.Contains(got, `"type":"snapshot"`) || !strings.Contains(got, `"type":"patch"`) {
		t.Errorf("got %s of the application's document, want it, and then a patch", got)
	}
	if got := i.docker(t, "exec", app.id, "wget", "-q", "-O", "-", url+"/"); !strings.Contains(got, "<title>A legacy application</title>") {
		t.Errorf("got %.200q, want the application's page", got)
	}
	const event = `{"n": 1}`
	wait(t, "the event to be taken", func() (any, bool) {
		out, err := i.try(t, nil, "exec", app.id, "wget", "-q", "-O", "-", "--post-data", event, url+"/events/hooks")
		return fmt.Sprint(out, err), err == nil // which is not before the history can be written
	})
	if got := tail("/events/hooks", 1); !strings.Contains(got, `"data":"{\"n\": 1}"`) {
		t.Errorf("got %s, want the event %s that was stored", got, event)
	}

	listener := &container{d: i.daemon}
	listener.run(t, slices.Concat(shared, []string{i.name, "tail", "--json", "--count", "1", url + "/events/nats"})...)
	publish := slices.Concat([]string{"run", "--rm", "--entrypoint", box.Entrypoint[0]}, shared, []string{box.Image}, box.Entrypoint[1:], []string{"pub", "demo.hello", event})
	wait(t, "a message of NATS", func() (any, bool) {
		i.docker(t, publish...) // again and again, as the server keeps nothing for who comes later
		return listener.log(t), !listener.state(t).Running
	})
	if got := listener.log(t); !strings.Contains(got, `"type":"demo.hello","data":"{\"n\": 1}"`) {
		t.Errorf("got %s, want the message %s", got, event)
	}

	if got := s.stop(t); got != 0 {
		t.Errorf("got exit code %d, want 0", got)
	}
}

// runService starts a service as it is described, but for its ports and its
// network, and returns when it is healthy.
func (d *daemon) runService(tb testing.TB, s compose.ServiceConfig, network ...string) *container {
	tb.Helper()
	args := slices.Clone(network)
	if s.User != "" {
		args = append(args, "--user", s.User)
	}
	if s.ReadOnly {
		args = append(args, "--read-only")
	}
	for _, name := range s.CapDrop {
		args = append(args, "--cap-drop", name)
	}
	for _, option := range s.SecurityOpt {
		args = append(args, "--security-opt", option)
	}
	for _, mount := range s.Tmpfs {
		args = append(args, "--tmpfs", mount)
	}
	for _, v := range s.Volumes {
		mount := v.Source + ":" + v.Target
		if v.ReadOnly {
			mount += ":ro"
		}
		args = append(args, "--volume", mount)
	}
	for name, value := range s.Environment {
		args = append(args, "--env", name+"="+*value)
	}
	args = append(append(args, s.Image), s.Command...)
	c := &container{d: d}
	c.run(tb, args...)
	// Asked here, as the docker command knows health checks only for a shell.
	if s.HealthCheck.Test[0] != "CMD" {
		tb.Fatalf("%s: got health check %q, want a command", s.Name, s.HealthCheck.Test)
	}
	wait(tb, "a healthy "+s.Name, func() (any, bool) {
		if !c.state(tb).Running {
			tb.Fatalf("got an end of %s, want it running", s.Name)
		}
		out, err := d.try(tb, nil, append([]string{"exec", c.id}, s.HealthCheck.Test[1:]...)...)
		return fmt.Sprint(out, err), err == nil
	})
	return c
}
