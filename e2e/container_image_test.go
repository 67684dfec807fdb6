package e2e

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"testing"
)

func (i *imageTest) config(t *testing.T) {
	info := i.inspectImage(t, i.name)
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
	if got, code := i.once(t, "--network", "none", i.name, "version"); got != want || code != 0 {
		t.Errorf("got %q (code %d), want %q", got, code, want)
	}
}

// content also tells that the build can be repeated: the program in the
// image is, bit for bit, the one that was built in another directory.
func (i *imageTest) content(t *testing.T) {
	files := i.files(t, i.name)
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
	want, err := os.ReadFile(i.program)
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

// What docs/container.md says of the image's size.
const (
	mostCompressed = 20e6 // bytes
	mostFiles      = 40e6
	mostNoEmbed    = 30e6 // of the files, without the embedded NATS server
)

func (i *imageTest) size(t *testing.T) {
	info := i.inspectImage(t, i.name)
	var compressed counter
	i.stream(t, func(r io.Reader) error {
		z := gzip.NewWriter(&compressed) // as the layers are for a registry
		if _, err := io.Copy(z, r); err != nil {
			return err
		}
		return z.Close()
	}, "save", i.name)
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

// The image for another kind of machine has that machine's program.
func (i *imageTest) foreign(t *testing.T) {
	// As BuildKit does, which looks for a base to match as well.
	image := i.build(t, "sidestream:"+i.architecture, "--build-arg", "TARGETARCH="+i.architecture, "--build-arg", "TAGS=sidestream_noembed")
	info := i.inspectImage(t, image)
	t.Logf("%.1f MB of files without the embedded NATS server", float64(info.Size)/1e6)
	if info.Size > mostNoEmbed {
		t.Errorf("got an image of %d bytes, want at most %.0f", info.Size, mostNoEmbed)
	}
	want, err := os.ReadFile(i.other)
	if err != nil {
		t.Fatal(err)
	}
	if got := i.files(t, image)["sidestream"].sum; got != sha256.Sum256(want) {
		t.Errorf("got a program with sum %x, want the one with %x that was built elsewhere", got, sha256.Sum256(want))
	}
	f, err := elf.NewFile(bytes.NewReader(want))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if got, want := f.Machine, map[string]elf.Machine{"arm64": elf.EM_AARCH64, "amd64": elf.EM_X86_64}[i.architecture]; got != want {
		t.Errorf("got a program for %v, want %v", got, want)
	}
}
