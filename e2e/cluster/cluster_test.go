package cluster

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"
)

// patience is how long something in a cluster may take: a kubelet alone looks
// for changed ConfigMaps about once a minute.
const patience = 5 * time.Minute

// A cluster is a namespace of the one that KUBECONFIG names.
type cluster struct {
	t         *testing.T
	namespace string
}

// newCluster makes a namespace that lets in only pods as "restricted" wants
// them. It goes with the test.
func newCluster(t *testing.T) *cluster {
	t.Helper()
	c := &cluster{t, fmt.Sprintf("sidestream-e2e-%08x", rand.Uint32())}
	t.Cleanup(func() {
		if t.Failed() {
			c.show("get", "all,configmaps,events", "--output=wide")
			c.show("logs", "--selector=app.kubernetes.io/name=sidestream", "--all-containers", "--prefix", "--tail=50")
			c.show("logs", "--selector=app=orders", "--all-containers", "--prefix", "--tail=50")
		}
		c.show("delete", "namespace", c.namespace, "--wait=false")
	})
	c.apply(fmt.Sprintf(`
apiVersion: v1
kind: Namespace
metadata: {name: %s, labels: {pod-security.kubernetes.io/enforce: restricted}}
`, c.namespace))
	return c
}

// show runs kubectl when the test has ended, and logs what it writes.
func (c *cluster) show(args ...string) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, "kubectl", append([]string{"--namespace", c.namespace}, args...)...).CombinedOutput()
	if c.t.Failed() || err != nil {
		c.t.Logf("kubectl %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// kubectl runs kubectl in the namespace and returns what it writes.
func (c *cluster) kubectl(args ...string) string {
	c.t.Helper()
	out, err := c.try(nil, "kubectl", args...)
	if err != nil {
		c.t.Fatal(err)
	}
	return out
}

func (c *cluster) helm(args ...string) {
	c.t.Helper()
	if _, err := c.try(nil, "helm", args...); err != nil {
		c.t.Fatal(err)
	}
}

// apply creates or changes what a manifest says, and wants no field of it to be
// unknown.
func (c *cluster) apply(manifest string) {
	c.t.Helper()
	if _, err := c.try(strings.NewReader(manifest), "kubectl", "apply", "--validate=strict", "--filename=-"); err != nil {
		c.t.Fatal(err)
	}
}

func (c *cluster) try(stdin io.Reader, program string, args ...string) (string, error) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, append([]string{"--namespace", c.namespace}, args...)...)
	var out, complaints bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, &out, &complaints
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s %s: %w\n%s", program, strings.Join(args, " "), err, complaints.Bytes())
	}
	return out.String(), nil
}

// wait returns once probe says ok.
func (c *cluster) wait(what string, probe func() (got any, ok bool)) {
	c.t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		got, ok := probe()
		if ok {
			return
		}
		select {
		case <-tick.C:
		case <-deadline.C:
			c.t.Fatalf("after %v: got %v, want %s", patience, got, what)
		}
	}
}

// pods returns the names of those that a selector selects and that aren't
// about to go, in order.
func (c *cluster) pods(selector string) []string {
	c.t.Helper()
	var list struct {
		Items []struct {
			Metadata struct {
				Name              string
				DeletionTimestamp string
			}
		}
	}
	if err := json.Unmarshal([]byte(c.kubectl("get", "pods", "--selector", selector, "--output=json")), &list); err != nil {
		c.t.Fatal(err)
	}
	var names []string
	for _, pod := range list.Items {
		if pod.Metadata.DeletionTimestamp == "" {
			names = append(names, pod.Metadata.Name)
		}
	}
	slices.Sort(names)
	return names
}

// metrics returns the lines of a pod's metrics that begin so.
func (c *cluster) metrics(pod, begin string) []string {
	c.t.Helper()
	var lines []string
	// Through the API server, so that there is nothing to forward.
	for line := range strings.Lines(c.kubectl("get", "--raw", fmt.Sprintf("/api/v1/namespaces/%s/pods/%s:9090/proxy/metrics", c.namespace, pod))) {
		if strings.HasPrefix(line, begin) {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	return lines
}

// awaitReload waits until each pod has taken a changed table over, and checks
// that it was these pods that did, and that no client was sent away for it.
func (c *cluster) awaitReload(selector string, before []string) {
	c.t.Helper()
	for _, pod := range before {
		c.wait("a reload of "+pod, func() (any, bool) {
			lines := c.metrics(pod, `sidestream_config_reloads_total{result="success"}`)
			return lines, len(lines) == 1 && !strings.HasSuffix(lines[0], " 0")
		})
		for _, line := range c.metrics(pod, "sidestream_disconnects_total") {
			if !strings.HasSuffix(line, " 0") && !strings.Contains(line, `reason="gone"`) {
				c.t.Errorf("pod %s: got %s, want no client sent away by a reload", pod, line)
			}
		}
	}
	if got := c.pods(selector); !slices.Equal(got, before) {
		c.t.Errorf("got pods %q after a change of the routes, want those from before, %q", got, before)
	}
}

// restart replaces all pods of a Deployment, and returns when all are new.
func (c *cluster) restart(deployment, selector string) {
	c.t.Helper()
	before := c.pods(selector)
	c.kubectl("rollout", "restart", "deployment/"+deployment)
	c.kubectl("rollout", "status", "deployment/"+deployment, "--timeout="+patience.String())
	for _, pod := range before {
		c.kubectl("wait", "--for=delete", "pod/"+pod, "--timeout="+patience.String())
	}
}

// imageParts returns the image's repository and its tag.
func imageParts(t *testing.T) (repository, tag string) {
	t.Helper()
	i := strings.LastIndexByte(*image, ':')
	if i < strings.LastIndexByte(*image, '/') || i < 0 || strings.Contains(*image, "@") {
		t.Fatalf("got -cluster.image=%s, want one with a tag, such as registry.example.com/sidestream:0.1.0", *image)
	}
	return (*image)[:i], (*image)[i+1:]
}

// values writes values for Helm to a file.
func values(t *testing.T, more map[string]any) string {
	t.Helper()
	repository, tag := imageParts(t)
	all := map[string]any{"image": map[string]any{"repository": repository, "tag": tag}}
	maps.Copy(all, more)
	text, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	file := t.TempDir() + "/values.json"
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
