package chart

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const clock = `config.table.routes=[{"path":"/events/clock","generate":{"every":"1s"}}]`

// What can't work is refused before anything is installed, and the message says
// what would.
func TestRefused(t *testing.T) {
	chart := filepath.Join(source(t), "sidestream")
	for _, test := range []struct {
		name, want string
		set        []string // --set-json
	}{
		{"no table", "there is no routing table; set config.table (a mapping, or --set-file config.table=routes.yaml) or config.existingConfigMap", nil},
		{"two tables", "config.table and config.existingConfigMap are both set", []string{clock, `config.existingConfigMap="x"`}},
		{"a text that is no table", "config.table is not a mapping in YAML: ", []string{`config.table="routes: [}"`}},
		{"a list for a table", "at '/config/table': got array, want null or string or object", []string{`config.table=[]`}},
		{"unknown value", "additional properties 'replicas' not allowed", []string{clock, `replicas=3`}},
		{"unknown value below", "at '/service': additional properties 'ports' not allowed", []string{clock, `service.ports=[]`}},
		{"mode", "at '/mode': value must be one of 'gateway', 'sidecar'", []string{clock, `mode="both"`}},
		{"port of root", "at '/ports/http': minimum: got 80, want 1,024", []string{clock, `ports.http=80`}},
		{"one port", "ports.http and ports.admin have to differ", []string{clock, `ports.admin=8080`}},
		{"window", "at '/drain/window': '5 seconds' does not match pattern", []string{clock, `drain.window="5 seconds"`}},
		{"drain of the table", `drain.window: "5" is not a duration; write a number with a unit, such as 250ms, 5s or 1m30s`,
			[]string{clock, `config.table.drain={"window":5}`}},
		{"digest", "at '/image/digest': 'sha256:12' does not match pattern", []string{clock, `image.digest="sha256:12"`}},
		{"secret for nothing", "at '/secrets/0': missing property 'mountPath'", []string{clock, `secrets=[{"existingSecret":"x"}]`}},
		{"short grace period", "terminationGracePeriodSeconds: 20 is less than the 25 s that drain.delay, drain.window, drain.timeout and 5 s take",
			[]string{clock, `terminationGracePeriodSeconds=20`}},
		{"persistence of two pods", "persistence.enabled: one pod at a time has the volume; set replicaCount 1", []string{clock, `persistence.enabled=true`}},
		{"persistence of many pods", "persistence.enabled: one pod at a time has the volume",
			[]string{clock, `persistence.enabled=true`, `replicaCount=1`, `autoscaling.enabled=true`}},
		{"persistence and a rolling update", "strategy.type RollingUpdate, which holds if strategy names none: a new pod would wait for the volume",
			[]string{clock, `persistence.enabled=true`, `replicaCount=1`, `strategy.type="RollingUpdate"`}},
		{"persistence and a cluster", "persistence is for the embedded NATS server, which isn't used",
			[]string{clock, `persistence.enabled=true`, `replicaCount=1`, `config.table.history={"nats":{"urls":["nats://n:4222"]}}`}},
		{"a directory elsewhere", "history.nats.embedded.dir is /data, but the volume of persistence is at /var/lib/sidestream",
			[]string{clock, `persistence.enabled=true`, `replicaCount=1`, `config.table.history={"nats":{"embedded":{"dir":"/data"}}}`}},
		{"durable nowhere", "the history of /hook is durable, but there is nowhere to keep it; set history.nats.urls in the table, or persistence.enabled",
			[]string{`config.table.routes=[{"path":"/hook","webhook":{},"history":{"durable":true}}]`}},
		{"durable by default, nowhere", "the history of /events/clock is durable, but there is nowhere to keep it",
			[]string{clock, `config.table.defaults={"history":{"durable":true}}`}},
		{"a sidecar durable nowhere", "the history of /events/clock is durable, but there is nowhere to keep it",
			[]string{clock, `mode="sidecar"`, `config.table.defaults={"history":{"durable":true}}`}},
		{"webhooks of two pods", "a webhook for /hook reaches one pod, and the clients of the others would never see it",
			[]string{`config.table.routes=[{"path":"/hook","webhook":{}}]`}},
		{"listen twice", "config.table has a listen, and tls or proxyProtocol is set",
			[]string{clock, `config.table.listen=":8080"`, `tls.existingSecret="x"`}},
		{"listening within the pod", `listen has no address with port 8080 (ports.http) that is reached from outside the pod; add ":8080", leave listen out, or change ports.http`,
			[]string{clock, `config.table.listen=["127.0.0.1:8080","unix:/run/http.sock:8080","[::1]:8080",":9000"]`}},
		{"listening elsewhere", "listen has no address with port 8000 (ports.http)",
			[]string{clock, `ports.http=8000`, `config.table.listen={"address":":8080"}`}},
		{"drain that is no mapping", "config.table: drain is not a mapping", []string{clock, `config.table.drain="5s"`}},
		{"admin off", "config.table: admin is false, since off without quotes is false in values; write \"off\", or give the table by --set-file",
			[]string{clock, `config.table.admin=false`}},
		{"no proxy", "config.table: routes[0].poll.proxy is false", []string{`config.table.routes=[{"path":"/a","poll":{"every":"1s","proxy":false}}]`}},
		{"no CloudEvents", "config.table: defaults.webhook.cloudevents.mode is false",
			[]string{clock, `config.table.defaults={"webhook":{"cloudevents":{"mode":false}}}`}},
		{"off in a text that is written anew", "config.table: admin is false", []string{`config.table="\"limits\":\n  streams: 10\nadmin: off\nroutes: []\n"`}},
		{"TLS of a table elsewhere", "tls and proxyProtocol are written into config.table; with config.existingConfigMap say it in listen of the table there",
			[]string{`config.existingConfigMap="x"`, `proxyProtocol=["10.0.0.0/8"]`}},
		{"budget without room", "podDisruptionBudget.minAvailable: 2 of 2 pods could never be evicted, so that no node could be drained",
			[]string{clock, `podDisruptionBudget.minAvailable=2`}},
		{"two budgets", "podDisruptionBudget has minAvailable and maxUnavailable",
			[]string{clock, `podDisruptionBudget.minAvailable=1`, `podDisruptionBudget.maxUnavailable=1`}},
		{"more than the most", "autoscaling.minReplicas is more than autoscaling.maxReplicas",
			[]string{clock, `autoscaling.enabled=true`, `autoscaling.minReplicas=20`}},
		{"a share of nothing", "autoscaling.metric cpu is a share of resources.requests.cpu, which isn't set",
			[]string{clock, `autoscaling.enabled=true`, `autoscaling.metric="cpu"`, `resources.requests={"cpu":null}`}},
		{"a route of no Gateway", "httpRoute.parentRefs: name the Gateway", []string{clock, `httpRoute.enabled=true`}},
		{"a test of TLS", "test.path: the test pod doesn't know who signed the certificate",
			[]string{clock, `test.path="/events/clock"`, `tls.existingSecret="x"`}},
		{"a test of PROXY headers", "test.path: the test pod sends no PROXY header", []string{clock, `test.path="/events/clock"`, `proxyProtocol=["10.0.0.0/8"]`}},
		{"persistence and the default strategy", "strategy.type RollingUpdate, which holds if strategy names none: a new pod would wait for the volume",
			[]string{clock, `persistence.enabled=true`, `replicaCount=1`, `strategy.rollingUpdate={"maxSurge":1}`}},
		{"budget of all", "podDisruptionBudget.minAvailable: with 100% no pod could ever be evicted", []string{clock, `podDisruptionBudget.minAvailable="100%"`}},
		{"budget of none", "podDisruptionBudget.maxUnavailable: with 0 no pod could ever be evicted", []string{clock, `podDisruptionBudget.maxUnavailable=0`}},
		{"budget of 0%", "podDisruptionBudget.maxUnavailable: with 0 no pod could ever be evicted", []string{clock, `podDisruptionBudget.maxUnavailable="0%"`}},
		{"traffic from outside", "service.externalTrafficPolicy is for the types NodePort and LoadBalancer, and service.type is ClusterIP",
			[]string{clock, `service.externalTrafficPolicy="Local"`}},
		{"port of nodes", "service.nodePort is for the types NodePort and LoadBalancer", []string{clock, `service.nodePort=30080`}},
		{"no load balancer", "service.loadBalancerClass is for the type LoadBalancer, and service.type is NodePort",
			[]string{clock, `service.type="NodePort"`, `service.loadBalancerClass="x"`}},
		{"strangers trusted", "trustedProxies: with service.type LoadBalancer whoever comes from outside may have the private address of a node",
			[]string{clock, `service.type="LoadBalancer"`}},
		{"label of the chart", "commonLabels: app.kubernetes.io/name is a label of the chart's own; leave it out", []string{clock, `commonLabels={"app.kubernetes.io/name":"x"}`}},
		{"label of the chart's pods", "podLabels: app.kubernetes.io/component is a label of the chart's own", []string{clock, `podLabels={"app.kubernetes.io/component":"x"}`}},
		{"health of pods", "networkPolicy.adminFrom: the load balancer of the ingress checks the health of pods at port 9090",
			[]string{clock, `networkPolicy.enabled=true`, `ingress.enabled=true`, `ingress.className="alb"`}},
		{"two monitors", "metrics.serviceMonitor and metrics.podMonitor would each collect everything",
			[]string{clock, `metrics.serviceMonitor.enabled=true`, `metrics.podMonitor.enabled=true`}},
		{"an Ingress of a sidecar", "ingress.enabled is for mode gateway; with mode sidecar the Deployment and what belongs to it are the application's",
			[]string{clock, `mode="sidecar"`, `ingress.enabled=true`}},
		{"a monitor of no pods", "metrics.podMonitor.selector: with mode sidecar these have to be labels of the application's pods",
			[]string{clock, `mode="sidecar"`, `metrics.podMonitor.enabled=true`}},
	} {
		t.Run(test.name, func(t *testing.T) {
			refused(t, test.want, chart, "1.36.0", test.set)
		})
	}
}

// The templates for other charts say what those have forgotten.
func TestSidecarRefused(t *testing.T) {
	tree := Tree(t)
	addOneLine(t, tree)
	for _, test := range []struct {
		name, chart, kube, want string
		set                     []string
	}{
		{"mode gateway", "examples/legacy-app", "1.36.0", "sidestream.mode is gateway, which installs a Deployment of its own; set sidestream.mode to sidecar",
			[]string{`sidestream.mode="gateway"`}},
		{"a value of the dependency", "examples/legacy-app", "1.36.0", "additional properties 'upstream' not allowed", []string{`sidestream.upstream="http://127.0.0.1:3000"`}},
		{"one line on an old cluster", "one-line", "1.28.0", "sidestream.sidecar is for native sidecars, which Kubernetes has from 1.29 on; use sidestream.sidecar.containers and sidestream.sidecar.volumes",
			[]string{`sidestream.mode="sidecar"`, `sidestream.` + clock}},
		{"close on an old cluster", "sidestream", "1.30.4", "service.trafficDistribution: Kubernetes has PreferClose from 1.31 on, and this is v1.30.4",
			[]string{clock, `service.trafficDistribution="PreferClose"`}},
		{"the same node on an old cluster", "sidestream", "1.33.0", "service.trafficDistribution: Kubernetes has PreferSameNode from 1.34 on, and this is v1.33.0",
			[]string{clock, `service.trafficDistribution="PreferSameNode"`}},
		{"an old cluster", "sidestream", "1.24.0", "chart requires kubeVersion: >=1.25.0-0 which is incompatible with Kubernetes v1.24.0", []string{clock}},
	} {
		t.Run(test.name, func(t *testing.T) {
			refused(t, test.want, filepath.Join(tree, test.chart), test.kube, test.set)
		})
	}
}

// The component leads no Service astray: it needs the name of a port, by which
// pods with and without the sidecar are told apart.
func TestKustomizeRefused(t *testing.T) {
	for _, test := range []struct{ name, from, to, want string }{
		{"a Service to a number", "targetPort: http", "targetPort: 3000", "testing value /spec/ports/0/targetPort failed"},
		{"a port without a name", "{name: http, containerPort: 3000}", "{containerPort: 3000}", "/spec/template/spec/containers/0/ports/0/name"},
	} {
		t.Run(test.name, func(t *testing.T) {
			example := filepath.Join(Tree(t), "kustomize", "example")
			app := filepath.Join(example, "app", "orders.yaml")
			text, err := os.ReadFile(app)
			if err != nil {
				t.Fatal(err)
			}
			changed := strings.Replace(string(text), test.from, test.to, 1)
			if changed == string(text) {
				t.Fatalf("got no %s in %s, want it to be changed", test.from, app)
			}
			if err := os.WriteFile(app, []byte(changed), 0o600); err != nil {
				t.Fatal(err)
			}
			out, err := run(t, "kustomize-"+kustomizeVersion, "build", example)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got error %v and\n%s\nwant an error that says %q", err, out, test.want)
			}
		})
	}
}

// refused checks that Helm doesn't render a chart, and says why.
func refused(t *testing.T, want, chart, kube string, set []string) {
	t.Helper()
	args := []string{"template", "live", chart, "--kube-version", kube}
	for _, s := range set {
		args = append(args, "--set-json", s)
	}
	out, err := Helm(t, args...)
	if err == nil {
		t.Fatalf("got manifests, want an error that says %q\n%s", want, out)
	}
	if !strings.Contains(err.Error(), want) {
		t.Errorf("got  %v\nwant an error that says %q", err, want)
	}
}

func TestLint(t *testing.T) {
	tree := Tree(t)
	for _, chart := range []string{"sidestream", "examples/legacy-app"} {
		out, err := Helm(t, "lint", "--strict", filepath.Join(tree, chart))
		if err != nil {
			t.Errorf("%v\n%s", err, out)
		}
	}
	// Without values there is nothing to render; with them there is.
	for _, r := range renderings {
		if r.chart != "sidestream" {
			continue
		}
		out, err := Helm(t, "lint", "--strict", "--kube-version", r.kube, "--values", filepath.Join("testdata", r.name+".values.yaml"), filepath.Join(tree, r.chart))
		if err != nil {
			t.Errorf("%s: %v\n%s", r.name, err, out)
		}
	}
}
