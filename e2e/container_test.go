package e2e

import (
	"runtime"
	"slices"
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
	i := &imageTest{
		program:      compile(t, runtime.GOARCH, "", imageVersion, imageRevision),
		other:        compile(t, other, "sidestream_noembed", imageVersion, imageRevision),
		architecture: other,
	}
	i.modules = serveModules(t)
	build, final := bases(t)
	i.daemon = startDocker(t)
	i.importBuildBase(t, build)
	i.importFinalBase(t, final)
	i.name = i.build(t, "sidestream:test")

	t.Run("says what it is", i.config)
	t.Run("has nothing but the program", i.content)
	t.Run("is small", i.size)
	t.Run("serves", i.serves)
	t.Run("shows the demonstration", i.demonstrates)
	t.Run("keeps a history", i.keepsHistory)
	t.Run("is found unhealthy", i.unhealthy)
	t.Run("says what is wrong", i.refuses)
	t.Run("with compose.yaml", i.compose)
	t.Run("for other machines", i.foreign)
}

// An imageTest looks at the image and runs it.
type imageTest struct {
	*daemon
	name         string
	program      string // the image's, built elsewhere
	other        string // that of an image for another architecture, without the embedded NATS server
	architecture string // which one
	modules      string // URL of a module proxy
}

// build builds the Dockerfile.
func (i *imageTest) build(tb testing.TB, name string, options ...string) string {
	tb.Helper()
	i.docker(tb, slices.Concat([]string{
		"build", "--network", "host", "--tag", name, "--build-arg", "GOPROXY=" + i.modules,
		"--build-arg", "VERSION=" + imageVersion, "--build-arg", "REVISION=" + imageRevision,
	}, options, []string{repository})...)
	return name
}
