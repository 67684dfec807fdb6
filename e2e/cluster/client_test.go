package cluster

import (
	"encoding/json"
	"fmt"
	"strings"
)

// restricted is a container's security context that is let in.
const restricted = `{runAsNonRoot: true, runAsUser: 65532, allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: {drop: [ALL]}, seccompProfile: {type: RuntimeDefault}}`

// A client is a pod that follows a stream as a browser does, with the
// program's own client, which prints what it receives.
type client struct {
	*cluster
	pod string
}

// An event is a line that the client prints.
type event struct{ ID, Type, Data string }

// follow starts a client of a URL, with further arguments of "sidestream tail".
func (c *cluster) follow(name, url string, args ...string) client {
	c.t.Helper()
	all, err := json.Marshal(append([]string{"tail", "--json", url}, args...))
	if err != nil {
		c.t.Fatal(err)
	}
	c.apply(fmt.Sprintf(`
apiVersion: v1
kind: Pod
metadata: {name: %s, labels: {app: client}}
spec:
  restartPolicy: Never
  automountServiceAccountToken: false
  terminationGracePeriodSeconds: 1
  containers: [{name: client, image: %q, args: %s, securityContext: %s}]
`, name, *image, all, restricted))
	c.kubectl("wait", "--for=jsonpath={.status.phase}=Running", "pod/"+name, "--timeout="+patience.String())
	return client{c, name}
}

// events returns what the client has received, and how many times it had to
// come back.
func (c client) events() (events []event, returns int) {
	c.t.Helper()
	for line := range strings.Lines(c.kubectl("logs", c.pod, "--tail=-1")) {
		switch {
		case strings.HasPrefix(line, "{"):
			var e event
			if err := json.Unmarshal([]byte(line), &e); err != nil {
				c.t.Fatalf("pod %s: %v: %s", c.pod, err, line)
			}
			events = append(events, e)
		case strings.Contains(line, "; again in "):
			returns++
		}
	}
	return events, returns
}

// await waits until the client has n events more than some.
func (c client) await(have, n int) {
	c.t.Helper()
	c.wait(fmt.Sprintf("%d more events at %s", n, c.pod), func() (any, bool) {
		events, returns := c.events()
		return fmt.Sprintf("%d events, %d returns", len(events), returns), len(events) >= have+n
	})
}
