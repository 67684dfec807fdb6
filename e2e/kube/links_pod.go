package kube

import (
	"cmp"
	"errors"
	"fmt"
	"path"
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// checkPod reports volumes and ports that aren't there, and what is there
// twice.
func checkPod(spec corev1.PodSpec) error {
	var wrong []error
	twice := func(what string, names []string) {
		slices.Sort(names)
		for i := 1; i < len(names); i++ {
			if names[i] == names[i-1] {
				wrong = append(wrong, fmt.Errorf("%s %q occurs twice", what, names[i]))
			}
		}
	}
	var volumes, called, ports, numbers []string
	for _, v := range spec.Volumes {
		volumes = append(volumes, v.Name)
	}
	twice("volume", slices.Clone(volumes))
	for _, c := range containers(spec) {
		called = append(called, c.Name)
		var mounts, variables []string
		for _, m := range c.VolumeMounts {
			mounts = append(mounts, path.Clean(m.MountPath))
			if !slices.Contains(volumes, m.Name) {
				wrong = append(wrong, fmt.Errorf("container %s mounts the volume %q, which isn't there", c.Name, m.Name))
			}
		}
		twice("mount of container "+c.Name+" at", mounts)
		for _, v := range c.Env {
			variables = append(variables, v.Name)
		}
		twice("variable of container "+c.Name, variables)
		for _, p := range c.Ports {
			if p.Name != "" {
				ports = append(ports, p.Name)
			}
			numbers = append(numbers, fmt.Sprintf("%d/%s", p.ContainerPort, cmp.Or(p.Protocol, corev1.ProtocolTCP)))
		}
		for _, probe := range []*corev1.Probe{c.StartupProbe, c.LivenessProbe, c.ReadinessProbe} {
			if probe == nil || probe.HTTPGet == nil {
				continue
			}
			if containerPort(c, probe.HTTPGet.Port) == 0 {
				wrong = append(wrong, fmt.Errorf("a probe of container %s asks port %v, which isn't there", c.Name, &probe.HTTPGet.Port))
			}
		}
	}
	twice("container", called)
	twice("port", ports)
	twice("port", numbers)
	return errors.Join(wrong...)
}

// References returns the ConfigMaps, Secrets, claims and the account that an
// object's pods can't start without, as "ConfigMap name", in order.
func References(o Object) ([]string, error) {
	pod, err := Pod(o)
	if err != nil || pod == nil {
		return nil, err
	}
	var all []string
	add := func(kind, name string, optional *bool) {
		if name != "" && (optional == nil || !*optional) {
			all = append(all, kind+" "+name)
		}
	}
	add("ServiceAccount", pod.Spec.ServiceAccountName, nil)
	for _, v := range pod.Spec.Volumes {
		switch {
		case v.ConfigMap != nil:
			add("ConfigMap", v.ConfigMap.Name, v.ConfigMap.Optional)
		case v.Secret != nil:
			add("Secret", v.Secret.SecretName, v.Secret.Optional)
		case v.PersistentVolumeClaim != nil:
			add("PersistentVolumeClaim", v.PersistentVolumeClaim.ClaimName, nil)
		case v.Projected != nil:
			for _, source := range v.Projected.Sources {
				if m := source.ConfigMap; m != nil {
					add("ConfigMap", m.Name, m.Optional)
				}
				if s := source.Secret; s != nil {
					add("Secret", s.Name, s.Optional)
				}
			}
		}
	}
	for _, c := range containers(pod.Spec) {
		for _, from := range c.EnvFrom {
			if m := from.ConfigMapRef; m != nil {
				add("ConfigMap", m.Name, m.Optional)
			}
			if s := from.SecretRef; s != nil {
				add("Secret", s.Name, s.Optional)
			}
		}
		for _, v := range c.Env {
			if v.ValueFrom == nil {
				continue
			}
			if m := v.ValueFrom.ConfigMapKeyRef; m != nil {
				add("ConfigMap", m.Name, m.Optional)
			}
			if s := v.ValueFrom.SecretKeyRef; s != nil {
				add("Secret", s.Name, s.Optional)
			}
		}
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}
