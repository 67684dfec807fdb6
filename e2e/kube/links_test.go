package kube

import (
	"strings"
	"testing"
)

// What leads nowhere.
func TestRefusedByLinks(t *testing.T) {
	for _, c := range []struct{ name, kind, from, to, want string }{
		{"labels", "Deployment", "metadata: {labels: {app: gateway}}", "metadata: {labels: {app: other}}", "Deployment gateway: the selector app=gateway selects no pod"},
		{"volume", "Deployment", "volumes: [{name: config,", "volumes: [{name: conf,", `container sidestream mounts the volume "config", which isn't there`},
		{"probe", "Deployment", "path: /readyz, port: http", "path: /readyz, port: admin", "a probe of container sidestream asks port admin, which isn't there"},
		{"variable twice", "Deployment", "          args:", "          env: [{name: A, value: b}, {name: A, value: c}]\n          args:", `variable of container sidestream "A" occurs twice`},
		{"port twice", "Deployment", "ports: [{name: http, containerPort: 8080}]", "ports: [{name: http, containerPort: 8080}, {name: admin, containerPort: 8080}]", `port "8080/TCP" occurs twice`},
		{"selector", "Service", "selector: {app: gateway}", "selector: {app: gatewya}", "Service gateway: the selector app=gatewya selects no pod"},
		{"name of a port", "Service", "targetPort: http", "targetPort: https", "the pods have no port https for port 80"},
		{"number of a port", "Service", "targetPort: http", "targetPort: 3000", "the pods have no port 3000 for port 80"},
		{"no target", "Service", ", targetPort: http", "", "the pods have no port 80 for port 80"},
		{"budget", "PodDisruptionBudget", "app: gateway", "app: other", "the selector app=other selects no pod"},
		{"autoscaler", "HorizontalPodAutoscaler", "name: gateway}\n  max", "name: other}\n  max", "there is no Deployment other to scale"},
		{"ingress", "Ingress", "service: {name: gateway", "service: {name: other", "there is no Service other"},
		{"port of an ingress", "Ingress", "port: {name: http}", "port: {number: 8080}", "the Service gateway has no port 8080"},
		{"route", "HTTPRoute", "port: 80", "port: 8080", "the Service gateway has no port 8080"},
		{"monitor", "ServiceMonitor", "app: gateway", "app: other", "selects no Service with a port http"},
		{"port of a monitor", "ServiceMonitor", "port: http", "port: metrics", "selects no Service with a port metrics"},
		{"monitor of pods", "PodMonitor", "port: http", "port: metrics", "the pods have no port metrics"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := edited(t, c.kind, c.from, c.to).CheckLinks()
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want an error that contains %q", err, c.want)
			}
		})
	}
}
