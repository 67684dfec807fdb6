package e2e

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"debug/elf"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const (
	imageVersion  = "0.1.0"
	imageRevision = "0123456789abcdef0123456789abcdef01234567"
	imageUser     = 65532
)

// The Dockerfile makes an image that is small, has nothing in it but the
// program, and keeps to what a restrictive cluster demands.
func TestContainer(t *testing.T) {
	other := map[string]string{"amd64": "arm64", "arm64": "amd64"}[runtime.GOARCH]
	native := compile(t, runtime.GOARCH, "", imageVersion, imageRevision)
	foreign := compile(t, other, "sidestream_noembed", imageVersion, imageRevision)
	build, final := bases(t)
	d := startDocker(t)
	d.importBuildBase(t, build, native.cache)
	d.importFinalBase(t, final)
	modules := serveModules(t)
	image := d.buildImage(t, "sidestream:test", modules)

	t.Run("says what it is", func(t *testing.T) { testImageConfig(t, d, image) })
	t.Run("has nothing but the program", func(t *testing.T) { testImageFiles(t, d, image, native.path) })
	t.Run("is small", func(t *testing.T) { testImageSize(t, d, image) })
	t.Run("serves", func(t *testing.T) { testContainerServes(t, d, image) })
	t.Run("shows the demonstration", func(t *testing.T) { testContainerDemo(t, d, image) })
	t.Run("keeps a history", func(t *testing.T) { testContainerHistory(t, d, image) })
	t.Run("is found unhealthy", func(t *testing.T) { testContainerUnhealthy(t, d, image) })
	t.Run("says what is wrong", func(t *testing.T) { testContainerRefuses(t, d, image) })
	t.Run("with compose.yaml", func(t *testing.T) { testCompose(t, d, image) })
	t.Run("for other machines", func(t *testing.T) {
		// As BuildKit does, which looks for a base to match as well.
		image := d.buildImage(t, "sidestream:"+other, modules, "--build-arg", "TARGETARCH="+other, "--build-arg", "TAGS=sidestream_noembed")
		testForeignImage(t, d, image, other, foreign.path)
	})
}

// buildImage builds the Dockerfile.
func (d *daemon) buildImage(tb testing.TB, name, modules string, options ...string) string {
	tb.Helper()
	d.docker(tb, append(append([]string{
		"build", "--network", "host", "--tag", name, "--build-arg", "GOPROXY=" + modules,
		"--build-arg", "VERSION=" + imageVersion, "--build-arg", "REVISION=" + imageRevision,
	}, options...), repository)...)
	return name
}

func testImageConfig(t *testing.T, d *daemon, image string) {
	info := d.inspectImage(t, image)
	got := info.Config
	if want := "65532:65532"; got.User != want {
		t.Errorf("got user %q, want %q", got.User, want)
	}
	if !slices.Equal(got.Entrypoint, []string{"/sidestream"}) || !slices.Equal(got.Cmd, []string{"serve"}) {
		t.Errorf("got entry point %q and command %q, want /sidestream and serve", got.Entrypoint, got.Cmd)
	}
	if want := []string{"CMD", "/sidestream", "healthcheck"}; !slices.Equal(got.Healthcheck.Test, want) {
		t.Errorf("got health check %q, want %q", got.Healthcheck.Test, want)
	}
	if want := "SIDESTREAM_CONFIG=/etc/sidestream/routes.yaml"; !slices.Contains(got.Env, want) {
		t.Errorf("got environment %q, want %q in it", got.Env, want)
	}
	if len(got.ExposedPorts) != 2 || len(got.Volumes) != 0 || got.StopSignal != "SIGTERM" {
		t.Errorf("got ports %v, volumes %v and stop signal %q; want two, none and SIGTERM", got.ExposedPorts, got.Volumes, got.StopSignal)
	}
	const label = "org.opencontainers.image."
	for name, want := range map[string]string{
		"title": "Sidestream", "licenses": "Apache-2.0", "version": imageVersion, "revision": imageRevision,
	} {
		if got := got.Labels[label+name]; got != want {
			t.Errorf("got label %s%s %q, want %q", label, name, got, want)
		}
	}
	if got.Labels[label+"description"] == "" {
		t.Errorf("got no label %sdescription, want one", label)
	}
	want := fmt.Sprintf("sidestream %s %s linux/%s %s", imageVersion, runtime.Version(), runtime.GOARCH, imageRevision)
	if got, code := d.once(t, "--network", "none", image, "version"); got != want || code != 0 {
		t.Errorf("got %q (code %d), want %q", got, code, want)
	}
}

// testImageFiles also tells that the build can be repeated: the program in the
// image is, bit for bit, the one that was built in another directory.
func testImageFiles(t *testing.T, d *daemon, image, program string) {
	files := d.files(t, image)
	for name, f := range files {
		// What is empty is where Docker mounts files of its own.
		if f.Typeflag == tar.TypeReg && f.Mode&0o111 != 0 && f.Size > 0 && name != "sidestream" {
			t.Errorf("got %s, want no program but /sidestream", name)
		}
		if f.Mode&0o6000 != 0 {
			t.Errorf("got %s with mode %o, want no set-id bits", name, f.Mode)
		}
		if f.Uid == imageUser && name != "var/lib/sidestream/" {
			t.Errorf("got %s, want nothing but /var/lib/sidestream to belong to the user", name)
		}
		if f.Typeflag == tar.TypeReg && f.Mode&0o022 != 0 {
			t.Errorf("got %s with mode %o, want no file that others may change", name, f.Mode)
		}
	}
	if got := files["var/lib/sidestream/"]; got.Uid != imageUser || got.Gid != imageUser || got.Typeflag != tar.TypeDir {
		t.Errorf("got /var/lib/sidestream of user %d and group %d, want a directory of %d", got.Uid, got.Gid, imageUser)
	}
	for _, name := range []string{"usr/share/doc/sidestream/LICENSE", "etc/ssl/certs/ca-certificates.crt"} {
		if _, ok := files[name]; !ok {
			t.Errorf("got no /%s, want one", name)
		}
	}
	want, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	got := files["sidestream"]
	if got.Size != int64(len(want)) || got.sum != sha256.Sum256(want) {
		t.Errorf("got a program of %d bytes with sum %x, want the %d bytes with sum %x that were built elsewhere", got.Size, got.sum, len(want), sha256.Sum256(want))
	}
	if got := got.ModTime.Unix(); got != 0 {
		t.Errorf("got a program of %d seconds after 1970, want SOURCE_DATE_EPOCH's default, 0", got)
	}
}

// A file is one of an image.
type file struct {
	*tar.Header
	sum [sha256.Size]byte // of the program
}

// files returns the files of an image, by their names without the first slash.
func (d *daemon) files(tb testing.TB, image string) map[string]file {
	tb.Helper()
	container := d.docker(tb, "create", "--network", "none", image)
	files := map[string]file{}
	d.stream(tb, func(r io.Reader) error {
		for tr := tar.NewReader(r); ; {
			h, err := tr.Next()
			if errors.Is(err, io.EOF) {
				return nil
			}
			if err != nil {
				return err
			}
			f := file{Header: h}
			if h.Name == "sidestream" {
				data, err := io.ReadAll(tr)
				if err != nil {
					return err
				}
				f.sum = sha256.Sum256(data)
			}
			files[h.Name] = f
		}
	}, "export", container)
	d.docker(tb, "rm", container)
	return files
}

// What README says of the image's size.
const (
	mostCompressed = 20e6 // bytes
	mostFiles      = 40e6
	mostNoEmbed    = 30e6 // of the files, without the embedded NATS server
)

func testImageSize(t *testing.T, d *daemon, image string) {
	info := d.inspectImage(t, image)
	var compressed counter
	d.stream(t, func(r io.Reader) error {
		z := gzip.NewWriter(&compressed) // as the layers are for a registry
		if _, err := io.Copy(z, r); err != nil {
			return err
		}
		return z.Close()
	}, "save", image)
	t.Logf("%.1f MB of files, %.1f MB compressed", float64(info.Size)/1e6, float64(compressed)/1e6)
	if compressed > mostCompressed || info.Size > mostFiles {
		t.Errorf("got an image of %d bytes, compressed %d; want at most %.0f and %.0f", info.Size, compressed, mostFiles, mostCompressed)
	}
}

type counter int64

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}

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

// serveContainer starts the image with a routing table and returns when it is
// healthy.
func (d *daemon) serveContainer(tb testing.TB, image, routes string, options ...string) *container {
	tb.Helper()
	c := d.startContainer(tb, image, routes, fmt.Sprintf("127.0.0.1:%d", freePort(tb)), options...)
	c.awaitHealth(tb, "healthy")
	return c
}

func (d *daemon) startContainer(tb testing.TB, image, routes, admin string, options ...string) *container {
	tb.Helper()
	config := filepath.Join(tb.TempDir(), "routes.yaml")
	writeFile(tb, config, routes)
	listen := fmt.Sprintf("127.0.0.1:%d", freePort(tb))
	c := &container{d: d, url: "http://" + listen, admin: "http://" + admin, config: config}
	c.run(tb, slices.Concat([]string{
		"--health-interval", "1s", "--health-start-period", "1ms", "--volume", filepath.Dir(config) + ":/etc/sidestream:ro",
		"--env", "SIDESTREAM_LISTEN=" + listen, "--env", "SIDESTREAM_ADMIN=" + admin,
	}, restricted, options, []string{image})...)
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

// The image serves streams, follows changes of its table, and leaves in peace.
func testContainerServes(t *testing.T, d *daemon, image string) {
	const table = `
drain: {window: 100ms, timeout: 1s}
defaults: {retry: 50ms}
routes:
  - {path: /a, generate: {every: 50ms, data: "{{.N}}"}}
`
	c := d.serveContainer(t, image, table)
	a := follow(t, c.url+"/a")
	a.await(t, 3)

	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", c.state(t).Pid))
	if err != nil {
		t.Fatal(err)
	}
	user := strconv.Itoa(imageUser)
	for name, want := range map[string]string{
		"Uid":        strings.Join([]string{user, user, user, user}, "\t"),
		"Gid":        strings.Join([]string{user, user, user, user}, "\t"),
		"CapBnd":     "0000000000000000",
		"CapEff":     "0000000000000000",
		"NoNewPrivs": "1",
	} {
		if line := name + ":\t" + want + "\n"; !strings.Contains(string(status), line) {
			t.Errorf("got a process with\n%swant %s", status, line)
		}
	}

	// A probe of an orchestrator's.
	d.docker(t, "exec", c.id, "/sidestream", "healthcheck", "--ready")

	replaceFile(t, c.config, table+`  - {path: /b, generate: {every: 50ms, data: "new"}}`+"\n")
	wait(t, "the new route", func() (any, bool) {
		b := newClient(t, c.url+"/b")
		stop := b.start(t)
		defer stop()
		wait(t, "an answer", func() (any, bool) { return "none", b.latest().status != 0 })
		return b.latest().status, b.latest().status == http.StatusOK
	})
	if got := len(a.conns()); got != 1 {
		t.Errorf("got %d connections of the client of a route that stays the same, want 1", got)
	}

	if got := c.stop(t); got != 0 {
		t.Errorf("got exit code %d after SIGTERM, want 0", got)
	}
	wait(t, "a connection that was ended", func() (any, bool) { return a.conns(), !a.conns()[0].ended.IsZero() })
	if got := a.conns()[0].retry; got < 50_000_000 {
		t.Errorf("got a last retry of %v, want one of the route's 50ms or more", got)
	}
}

// The demonstration needs no table.
func testContainerDemo(t *testing.T, d *daemon, image string) {
	listen := fmt.Sprintf("127.0.0.1:%d", freePort(t))
	c := &container{d: d, url: "http://" + listen}
	c.run(t, slices.Concat([]string{"--health-interval", "1s", "--env", "SIDESTREAM_ADMIN=" + fmt.Sprintf("127.0.0.1:%d", freePort(t))},
		restricted, []string{image, "demo", "--listen", listen})...)
	c.awaitHealth(t, "healthy")
	follow(t, c.url+"/api/orders").await(t, 1)
}

// An embedded history is on the volume, not in the container: another one has
// it, and clients go on.
func testContainerHistory(t *testing.T, d *daemon, image string) {
	const table = "drain: {window: 100ms, timeout: 1s}\ndefaults: {retry: 50ms}\nroutes:"
	volume := "history:/var/lib/sidestream"
	one := d.serveContainer(t, image, table+hookRoute("events: 1000"), "--volume", volume)
	sender := newHookSender(t, 1)
	c := follow(t, one.url+hookEvents)
	c.await(t, 1) // stream.live
	for n := range 3 {
		sender.mustSend(t, one.url, fmt.Sprint("container-", n), strconv.Itoa(n))
	}
	heard := c.awaitHeard(t, 3)
	first := c.events()[1].ID
	if got := one.stop(t); got != 0 {
		t.Errorf("got exit code %d, want 0", got)
	}
	d.docker(t, "rm", one.id)

	two := d.serveContainer(t, image, table+hookRoute("events: 1000"), "--volume", volume)
	late := follow(t, two.url+hookEvents, first)
	if got, want := late.awaitHeard(t, 2), heard[1:]; !slices.Equal(got, want) || late.has("stream.gap") {
		t.Errorf("got %v after the first, want %q", late.events(), want)
	}
}

// A server that can't be asked is found unhealthy, and the reason is in the
// container's state.
func testContainerUnhealthy(t *testing.T, d *daemon, image string) {
	c := d.startContainer(t, image, "routes: [{path: /a, generate: {}}]", "off", "--health-retries", "1")
	c.awaitHealth(t, "unhealthy")
	if log := c.state(t).Health.Log; len(log) == 0 || !strings.Contains(log[0].Output, "the admin listener is off") {
		t.Errorf("got %+v, want the reason", log)
	}
}

// Whatever is wrong is said in words, with an exit code that isn't 0.
func testContainerRefuses(t *testing.T, d *daemon, image string) {
	run := func(args ...string) (string, int) {
		t.Helper()
		return d.once(t, slices.Concat(restricted, args)...)
	}
	if got, code := run(image); code != 1 || !strings.Contains(got, "there is no routing table at /etc/sidestream/routes.yaml") || !strings.Contains(got, "docker run -v") {
		t.Errorf("no table: got %q and code %d, want to be told how to mount one, and 1", got, code)
	}
	bad := t.TempDir()
	writeFile(t, filepath.Join(bad, "routes.yaml"), "routes:\n  - {path: /a, pol: {every: 1s}}\n")
	mount := []string{"--volume", bad + ":/etc/sidestream:ro"}
	for _, command := range [][]string{{}, {"validate"}} {
		got, code := run(slices.Concat(mount, []string{image}, command)...)
		if want := `/etc/sidestream/routes.yaml:2:`; code != 1 || !strings.Contains(got, want) || !strings.Contains(got, "poll") {
			t.Errorf("%q with a bad table: got %q and code %d, want the place, the nearest key, and 1", command, got, code)
		}
	}
	// A history has to be somewhere. Until it is, everything else is served.
	c := d.serveContainer(t, image, "routes:"+hookRoute("events: 10"))
	wait(t, "the reason in the log", func() (any, bool) {
		log := c.log(t)
		return log, strings.Contains(log, "history directory is not writable") && strings.Contains(log, "read-only file system")
	})
}

// The image for another kind of machine has that machine's program.
func testForeignImage(t *testing.T, d *daemon, image, architecture, program string) {
	info := d.inspectImage(t, image)
	t.Logf("%.1f MB of files without the embedded NATS server", float64(info.Size)/1e6)
	if info.Size > mostNoEmbed {
		t.Errorf("got an image of %d bytes, want at most %.0f", info.Size, mostNoEmbed)
	}
	want, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	if got := d.files(t, image)["sidestream"].sum; got != sha256.Sum256(want) {
		t.Errorf("got a program with sum %x, want the one with %x that was built elsewhere", got, sha256.Sum256(want))
	}
	f, err := elf.NewFile(bytes.NewReader(want))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if got, want := f.Machine, map[string]elf.Machine{"arm64": elf.EM_AARCH64, "amd64": elf.EM_X86_64}[architecture]; got != want {
		t.Errorf("got a program for %v, want %v", got, want)
	}
}
