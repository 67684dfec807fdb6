package kube

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// good is what nothing is wrong with in any release.
var good = map[string]string{
	"Deployment": `
apiVersion: apps/v1
kind: Deployment
metadata: {name: gateway, labels: {app.kubernetes.io/version: 0.1.0}}
spec:
  replicas: 2
  selector: {matchLabels: {app: gateway}}
  template:
    metadata: {labels: {app: gateway}}
    spec:
      containers:
        - name: sidestream
          image: sidestream:0.1.0
          args: [serve]
          ports: [{name: http, containerPort: 8080}]
          readinessProbe: {periodSeconds: 2, httpGet: {path: /readyz, port: http}}
          resources: {requests: {cpu: 1, memory: 64Mi}, limits: {memory: 2e8}}
          volumeMounts: [{name: config, mountPath: /etc/sidestream}]
          securityContext:
            allowPrivilegeEscalation: false
            capabilities: {drop: [ALL]}
            runAsNonRoot: true
            seccompProfile: {type: RuntimeDefault}
      volumes: [{name: config, configMap: {name: gateway}}]
`,
	"Service": `
apiVersion: v1
kind: Service
metadata: {name: gateway, labels: {app: gateway}}
spec:
  selector: {app: gateway}
  ports: [{name: http, port: 80, targetPort: http}]
`,
	"PodDisruptionBudget": `
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: gateway}
spec: {maxUnavailable: 1, selector: {matchLabels: {app: gateway}}}
`,
	"HorizontalPodAutoscaler": `
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: gateway}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: gateway}
  maxReplicas: 3
`,
	"Ingress": `
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: gateway}
spec:
  rules:
    - host: events.example.com
      http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: gateway, port: {name: http}}}}]}
`,
	"HTTPRoute": `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: gateway}
spec:
  parentRefs: [{name: public}]
  rules: [{timeouts: {request: 0s}, backendRefs: [{name: gateway, port: 80}]}]
`,
	"ServiceMonitor": `
apiVersion: monitoring.coreos.com/v1
kind: ServiceMonitor
metadata: {name: gateway}
spec:
  selector: {matchLabels: {app: gateway}}
  endpoints: [{port: http, interval: 30s}]
`,
	"PodMonitor": `
apiVersion: monitoring.coreos.com/v1
kind: PodMonitor
metadata: {name: gateway}
spec:
  selector: {matchLabels: {app: gateway}}
  podMetricsEndpoints: [{port: http}]
`,
}

// edited returns the good objects, one of them with a text replaced.
func edited(t *testing.T, kind, from, to string) Set {
	t.Helper()
	var manifest strings.Builder
	for _, k := range slices.Sorted(maps.Keys(good)) {
		text := good[k]
		if k == kind {
			if !strings.Contains(text, from) {
				t.Fatalf("got no %q in the %s, want it to be replaced", from, kind)
			}
			text = strings.Replace(text, from, to, 1)
		}
		fmt.Fprintf(&manifest, "---%s", text)
	}
	set, err := Decode([]byte(manifest.String()))
	if err != nil {
		t.Fatal(err)
	}
	return set
}
