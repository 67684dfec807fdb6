package e2e

import (
	"cmp"
	"regexp"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// environment returns the variables of a container, those of the image
// included.
func (c *podContainer) environment() map[string]string {
	c.pod.tb.Helper()
	env := map[string]string{"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOSTNAME": c.pod.name, "SIDESTREAM_CONFIG": "/etc/sidestream/routes.yaml"}
	for _, from := range c.spec.EnvFrom {
		var values map[string]string
		switch {
		case from.ConfigMapRef != nil:
			values = c.pod.values("ConfigMap", from.ConfigMapRef.Name, from.ConfigMapRef.Optional)
		case from.SecretRef != nil:
			values = c.pod.values("Secret", from.SecretRef.Name, from.SecretRef.Optional)
		}
		for key, value := range values {
			env[from.Prefix+key] = value
		}
	}
	for _, v := range c.spec.Env {
		if v.ValueFrom == nil {
			env[v.Name] = expand(v.Value, env)
			continue
		}
		if value, ok := c.valueFrom(v.ValueFrom); ok {
			env[v.Name] = value
		}
	}
	return env
}

// valueFrom returns the value of a variable that is somewhere else.
func (c *podContainer) valueFrom(from *corev1.EnvVarSource) (value string, ok bool) {
	c.pod.tb.Helper()
	switch {
	case from.SecretKeyRef != nil:
		value, ok = c.pod.values("Secret", from.SecretKeyRef.Name, from.SecretKeyRef.Optional)[from.SecretKeyRef.Key]
	case from.ConfigMapKeyRef != nil:
		value, ok = c.pod.values("ConfigMap", from.ConfigMapKeyRef.Name, from.ConfigMapKeyRef.Optional)[from.ConfigMapKeyRef.Key]
	case from.FieldRef != nil:
		value, ok = map[string]string{
			"metadata.name": c.pod.name, "metadata.namespace": "default", "metadata.uid": c.pod.name,
			"spec.nodeName": "node", "spec.serviceAccountName": cmp.Or(c.pod.spec.ServiceAccountName, "default"),
			"status.podIP": "127.0.0.1", "status.hostIP": "127.0.0.1",
		}[from.FieldRef.FieldPath]
		if !ok {
			c.pod.tb.Fatalf("got a variable from %s, want a field that a kubelet knows", from.FieldRef.FieldPath)
		}
	case from.ResourceFieldRef != nil:
		limit := c.spec.Resources.Limits.Name(corev1.ResourceName(strings.TrimPrefix(from.ResourceFieldRef.Resource, "limits.")), "")
		if limit.IsZero() {
			c.pod.tb.Fatalf("got a variable from %s, want a limit that is set", from.ResourceFieldRef.Resource)
		}
		value, ok = strconv.FormatInt(limit.Value(), 10), true
	}
	return value, ok
}

// variableReference is one of a variable to another: $(NAME), and $$(NAME) for none.
var variableReference = regexp.MustCompile(`\$?\$\(([A-Za-z_][A-Za-z0-9_.-]*)\)`)

// expand replaces references in a value. Unknown ones stay.
func expand(value string, env map[string]string) string {
	return variableReference.ReplaceAllStringFunc(value, func(match string) string {
		if strings.HasPrefix(match, "$$") {
			return match[1:]
		}
		if v, ok := env[match[2:len(match)-1]]; ok {
			return v
		}
		return match
	})
}
