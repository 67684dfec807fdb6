package cluster

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	jsonpatch "github.com/evanphx/json-patch/v5"
)

// overlay is kustomize's example with the image under test, and an application
// that "restricted" lets in.
const overlay = `
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
namespace: %[1]s
resources: [helm/kustomize/example]
images:
  - {name: sidestream, newName: %[2]s, newTag: %[3]q}
patches:
  - patch: |
      apiVersion: apps/v1
      kind: Deployment
      metadata: {name: orders}
      spec:
        template:
          spec:
            containers:
              - name: app
                securityContext: %[4]s
`

// The sidecar, by kubectl and kustomize: clients of a document that is polled
// get it, and then changes that fit, while routes change and all pods are
// replaced.
func TestSidecar(t *testing.T) {
	c := newCluster(t)
	dir := t.TempDir()
	if err := os.CopyFS(filepath.Join(dir, "helm"), os.DirFS("../../helm")); err != nil {
		t.Fatal(err)
	}
	repository, tag := imageParts(t)
	if err := os.WriteFile(filepath.Join(dir, "kustomization.yaml"), fmt.Appendf(nil, overlay, c.namespace, repository, tag, restricted), 0o600); err != nil {
		t.Fatal(err)
	}
	c.kubectl("apply", "--validate=strict", "--kustomize", dir)
	c.kubectl("rollout", "status", "deployment/orders", "--timeout="+patience.String())

	var clients []client
	for i := range 3 {
		clients = append(clients, c.follow(fmt.Sprintf("client-%d", i), "http://orders/api/orders"))
	}
	for _, client := range clients {
		client.await(0, 3)
	}

	before := c.pods("app=orders")
	routes := filepath.Join(dir, "helm", "kustomize", "example", "routes.yaml")
	table, err := os.ReadFile(routes)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(routes, append(table, "  - path: /events/more\n    generate: {every: 1s}\n"...), 0o600); err != nil {
		t.Fatal(err)
	}
	c.kubectl("apply", "--validate=strict", "--kustomize", dir)
	c.awaitReload("app=orders", before)
	c.follow("more", "http://orders/events/more").await(0, 1)

	c.restart("orders", "app=orders")
	for _, client := range clients {
		events, _ := client.events()
		client.await(len(events), 3)
		checkOrders(t, client)
	}
	c.kubectl("delete", "--kustomize", dir)
	for _, pod := range c.pods("app=orders") {
		c.kubectl("wait", "--for=delete", "pod/"+pod, "--timeout="+patience.String())
	}
}

// checkOrders wants each patch to fit what the events before it have led to,
// no gap, and the client to have come back at least once.
func checkOrders(t *testing.T, c client) {
	t.Helper()
	events, returns := c.events()
	if returns == 0 {
		t.Errorf("%s: got no return while all pods were replaced, want some", c.pod)
	}
	var document []byte
	for i, e := range events {
		var err error
		switch {
		case e.Type == "snapshot":
			document = []byte(e.Data)
		case e.Type == "patch" && document == nil:
			err = errors.New("no document before it")
		case e.Type == "patch":
			var patch jsonpatch.Patch
			if patch, err = jsonpatch.DecodePatch([]byte(e.Data)); err == nil {
				document, err = patch.Apply(document)
			}
		case e.Type == "stream.gap" || !strings.HasPrefix(e.Type, "stream."):
			err = errors.New("not among those that are due")
		}
		if err != nil {
			t.Errorf("%s: got event %d of %d, %s %.300s, want one that fits: %v", c.pod, i, len(events), e.Type, e.Data, err)
			return
		}
	}
	t.Logf("%s: %d events that fit, %d returns", c.pod, len(events), returns)
}
