package e2e

import (
	"archive/tar"
	"debug/elf"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The images that the Dockerfile begins with need a registry. Under their
// names there are others here, made of what this machine has: a compiler with
// a shell, and next to nothing.

// repository is the top of the tree.
const repository = ".."

// bases are the names of the images that the Dockerfile begins with.
func bases(tb testing.TB) (build, final string) {
	tb.Helper()
	file, err := os.ReadFile(filepath.Join(repository, "Dockerfile"))
	if err != nil {
		tb.Fatal(err)
	}
	version := regexp.MustCompile(`(?m)^ARG GO_VERSION=(\S+)$`).FindSubmatch(file)
	from := regexp.MustCompile(`(?m)^FROM (?:--platform=\S+ )?(\S+)`).FindAllSubmatch(file, -1)
	if version == nil || len(from) != 2 {
		tb.Fatalf("got GO_VERSION %q and bases %q in the Dockerfile, want a version and two bases", version, from)
	}
	return strings.ReplaceAll(string(from[0][1]), "${GO_VERSION}", string(version[1])), string(from[1][1])
}

// importBuildBase makes an image with this machine's Go, its CA certificates,
// and what compile has left in its cache.
func (d *daemon) importBuildBase(tb testing.TB, name string) {
	tb.Helper()
	root := goEnv(tb, "GOROOT")
	d.importImage(tb, name, func(a *archive) {
		a.file("bin/busybox", 0o755, staticBusybox(tb))
		for _, command := range []string{"sh", "mkdir", "touch"} {
			a.link("bin/"+command, "busybox")
		}
		a.directory("tmp", 0o777|fs.ModeSticky)
		a.directory("go", 0o777)
		a.text("etc/passwd", "root:x:0:0:root:/root:/bin/sh\n")
		a.file("etc/ssl/certs/ca-certificates.crt", 0o644, "/etc/ssl/certs/ca-certificates.crt")
		for _, part := range []string{"VERSION", "go.env", "bin", "pkg", "src"} {
			a.tree("usr/local/go/"+part, filepath.Join(root, part), func(at string, entry fs.DirEntry) bool {
				return entry.IsDir() && (entry.Name() == "testdata" || strings.HasSuffix(at, filepath.Join("src", "cmd"))) ||
					strings.HasSuffix(at, "_test.go")
			})
		}
		a.tree("root/.cache/go-build", buildCache(tb), func(string, fs.DirEntry) bool { return false })
	}, "--change", "ENV PATH=/usr/local/go/bin:/bin GOPATH=/go GOTOOLCHAIN=local")
}

// importFinalBase makes an image as the one without a shell is: CA
// certificates, time zones, and a user that isn't root.
func (d *daemon) importFinalBase(tb testing.TB, name string) {
	tb.Helper()
	d.importImage(tb, name, func(a *archive) {
		a.directory("tmp", 0o777|fs.ModeSticky)
		a.directory("home/nonroot", 0o700)
		a.text("etc/passwd", "root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin\n")
		a.file("etc/ssl/certs/ca-certificates.crt", 0o644, "/etc/ssl/certs/ca-certificates.crt")
		a.tree("usr/share/zoneinfo", "/usr/share/zoneinfo", func(string, fs.DirEntry) bool { return false })
	}, "--change", "USER 65532")
}

func (d *daemon) importImage(tb testing.TB, name string, fill func(*archive), options ...string) {
	tb.Helper()
	r, w := io.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		a := &archive{w: tar.NewWriter(w)}
		fill(a)
		if a.err == nil {
			a.err = a.w.Close()
		}
		_ = w.CloseWithError(a.err)
	}()
	_, err := d.try(tb, r, append(append([]string{"import"}, options...), "-", name)...)
	_ = r.CloseWithError(err)
	<-done
	if err != nil {
		tb.Fatalf("image %s: %v", name, err)
	}
}

// An archive is a tar file of a root directory, all of root's. Its methods do
// nothing once there is an error.
type archive struct {
	w   *tar.Writer
	err error
}

func (a *archive) add(h *tar.Header, content io.Reader) {
	if a.err == nil {
		a.err = a.w.WriteHeader(h)
	}
	if a.err == nil && content != nil {
		_, a.err = io.Copy(a.w, content)
	}
}

func (a *archive) directory(name string, mode fs.FileMode) {
	bits := int64(mode.Perm())
	if mode&fs.ModeSticky != 0 {
		bits |= 0o1000
	}
	a.add(&tar.Header{Typeflag: tar.TypeDir, Name: name + "/", Mode: bits}, nil)
}

func (a *archive) link(name, target string) {
	a.add(&tar.Header{Typeflag: tar.TypeSymlink, Name: name, Linkname: target, Mode: 0o777}, nil)
}

func (a *archive) text(name, content string) {
	a.add(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: int64(len(content))}, strings.NewReader(content))
}

// file adds the file at from under another name.
func (a *archive) file(name string, mode fs.FileMode, from string) {
	f, err := os.Open(from)
	if err != nil {
		a.err = err
		return
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		a.err = err
		return
	}
	// The compiler looks at times.
	a.add(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: int64(mode.Perm()), Size: info.Size(), ModTime: info.ModTime()}, f)
}

// tree adds a file, or a directory with what is in it, but for what skip names.
func (a *archive) tree(name, from string, skip func(at string, entry fs.DirEntry) bool) {
	from, err := filepath.EvalSymlinks(from)
	if err != nil {
		a.err = err
		return
	}
	err = filepath.WalkDir(from, func(at string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case a.err != nil:
			return a.err
		case skip(at, entry) && entry.IsDir():
			return fs.SkipDir
		case skip(at, entry):
			return nil
		}
		rest, err := filepath.Rel(from, at)
		if err != nil {
			return err
		}
		to := path.Join(name, filepath.ToSlash(rest))
		info, err := os.Stat(at) // what a link leads to
		switch {
		case err != nil:
			return err
		case entry.IsDir():
			a.directory(to, info.Mode())
		case info.Mode().IsRegular():
			a.file(to, info.Mode(), at)
		}
		return a.err
	})
	if a.err == nil {
		a.err = err
	}
}

// staticBusybox returns the path of a busybox that needs no libraries.
func staticBusybox(tb testing.TB) string {
	tb.Helper()
	name, err := exec.LookPath("busybox")
	if err != nil {
		tb.Fatalf("%v (setup.sh installs what the tests need)", err)
	}
	f, err := elf.Open(name)
	if err != nil {
		tb.Fatal(err)
	}
	defer f.Close()
	if libraries, err := f.ImportedLibraries(); err != nil || len(libraries) > 0 {
		tb.Fatalf("%s needs %q (%v), want one that needs no libraries: Debian's package busybox-static", name, libraries, err)
	}
	return name
}

func goEnv(tb testing.TB, name string) string {
	tb.Helper()
	out, err := exec.CommandContext(tb.Context(), "go", "env", name).Output()
	if err != nil {
		tb.Fatalf("go env %s: %v", name, err)
	}
	return strings.TrimSpace(string(out))
}

// serveModules serves the modules that the program is made of, as a module
// proxy does, from those that this machine has.
func serveModules(tb testing.TB) (proxy string) {
	tb.Helper()
	download := exec.CommandContext(tb.Context(), "go", "mod", "download")
	download.Dir = repository
	if out, err := download.CombinedOutput(); err != nil {
		tb.Fatalf("go mod download: %v\n%s", err, out)
	}
	server := httptest.NewServer(http.FileServer(http.Dir(filepath.Join(goEnv(tb, "GOMODCACHE"), "cache", "download"))))
	tb.Cleanup(server.Close)
	return server.URL
}

// compile builds the program as the Dockerfile does, but elsewhere, and returns
// where it is.
func compile(tb testing.TB, architecture, tags, version, revision string) string {
	tb.Helper()
	program := filepath.Join(tb.TempDir(), "sidestream")
	cmd := exec.CommandContext(tb.Context(), "go", "build", "-trimpath", "-buildvcs=false", "-tags", tags,
		"-ldflags", fmt.Sprintf("-s -w -buildid= -X main.release=%s -X main.revision=%s", version, revision), "-o", program, "./cmd/sidestream")
	cmd.Dir = repository
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOARCH="+architecture, "GOCACHE="+buildCache(tb))
	if out, err := cmd.CombinedOutput(); err != nil {
		tb.Fatalf("go build for %s: %v\n%s", architecture, err, out)
	}
	return program
}

// buildCache is the GOCACHE of what goes into images, apart from the rest.
// setup.sh has filled it.
func buildCache(tb testing.TB) string {
	tb.Helper()
	dir, err := os.UserCacheDir()
	if err != nil {
		tb.Fatal(err)
	}
	return filepath.Join(dir, "sidestream", "container-build")
}
