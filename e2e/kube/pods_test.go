package kube

import (
	"strings"
	"testing"
)

// What a namespace that enforces "restricted" refuses.
func TestRefusedBySecurity(t *testing.T) {
	for _, c := range []struct{ name, from, to, want string }{
		{"root", "runAsNonRoot: true", "runAsNonRoot: false", "runAsNonRoot"},
		{"not said", "runAsNonRoot: true", "runAsUser: 65532", "runAsNonRoot"},
		{"capabilities", "capabilities: {drop: [ALL]}", "capabilities: {drop: [NET_RAW]}", "unrestricted capabilities"},
		{"escalation", "allowPrivilegeEscalation: false", "readOnlyRootFilesystem: true", "allowPrivilegeEscalation != false"},
		{"seccomp", "seccompProfile: {type: RuntimeDefault}", "seccompProfile: {type: Unconfined}", "seccompProfile"},
		{"volume", "configMap: {name: gateway}", "hostPath: {path: /etc}", "hostPath"},
		{"an init container", "      containers:", "      initContainers: [{name: first, image: x}]\n      containers:", `container "first"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, r := range releases {
				err := CheckRestricted(*edited(t, "Deployment", c.from, c.to).Find("Deployment", "gateway"), r.minor())
				if err == nil || !strings.Contains(err.Error(), c.want) {
					t.Errorf("%s: got %v, want an error that contains %q", r.version, err, c.want)
				}
			}
		})
	}
}
