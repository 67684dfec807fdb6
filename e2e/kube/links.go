package kube

import (
	"errors"
	"fmt"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// CheckLinks reports what leads nowhere in a set, of which most would be
// accepted by an API server and then not work: a Service, policy or monitor
// that selects no pod, a port or volume that isn't there, a route to no
// Service, an autoscaler of nothing. Services and pods that other software
// brings are none of its business, so references by name to ConfigMaps, Secrets
// and the like are left to References.
func (s Set) CheckLinks() error {
	var wrong []error
	for _, o := range s {
		if err := s.checkLinks(o); err != nil {
			wrong = append(wrong, fmt.Errorf("%v: %w", o, err))
		}
	}
	return errors.Join(wrong...)
}

func (s Set) checkLinks(o Object) error {
	pod, err := Pod(o)
	if err != nil {
		return err
	}
	if pod != nil {
		if err := checkPod(pod.Spec); err != nil {
			return err
		}
	}
	switch o.Kind {
	case "Deployment":
		var d appsv1.Deployment
		if err := o.Into(&d); err != nil {
			return err
		}
		_, err := selected(d.Spec.Selector, []corev1.PodTemplateSpec{d.Spec.Template})
		return err
	case "Service":
		return s.checkService(o)
	case "PodDisruptionBudget":
		var b policyv1.PodDisruptionBudget
		if err := o.Into(&b); err != nil {
			return err
		}
		return s.checkSelects(b.Spec.Selector)
	case "NetworkPolicy":
		var p networkingv1.NetworkPolicy
		if err := o.Into(&p); err != nil {
			return err
		}
		return s.checkSelects(&p.Spec.PodSelector)
	case "HorizontalPodAutoscaler":
		var h autoscalingv2.HorizontalPodAutoscaler
		if err := o.Into(&h); err != nil {
			return err
		}
		if s.Find(h.Spec.ScaleTargetRef.Kind, h.Spec.ScaleTargetRef.Name) == nil {
			return fmt.Errorf("there is no %s %s to scale", h.Spec.ScaleTargetRef.Kind, h.Spec.ScaleTargetRef.Name)
		}
	case "Ingress":
		return s.checkIngress(o)
	case "HTTPRoute":
		return s.checkHTTPRoute(o)
	case "ServiceMonitor":
		return s.checkServiceMonitor(o)
	case "PodMonitor":
		return s.checkPodMonitor(o)
	}
	return nil
}

// pods returns what the controllers of the set make pods of.
func (s Set) pods() ([]corev1.PodTemplateSpec, error) {
	var all []corev1.PodTemplateSpec
	for _, o := range s {
		pod, err := Pod(o)
		if err != nil {
			return nil, err
		}
		if pod != nil && o.Kind != "Pod" { // such as a test of the chart, which nothing should select
			all = append(all, *pod)
		}
	}
	return all, nil
}

// selected returns the pods that a selector selects, of which there must be
// some.
func selected(selector *metav1.LabelSelector, pods []corev1.PodTemplateSpec) ([]corev1.PodTemplateSpec, error) {
	matches, err := metav1.LabelSelectorAsSelector(selector)
	if err != nil {
		return nil, err
	}
	found := slices.DeleteFunc(slices.Clone(pods), func(p corev1.PodTemplateSpec) bool { return !matches.Matches(labels.Set(p.Labels)) })
	if len(found) == 0 {
		return nil, fmt.Errorf("the selector %v selects no pod", matches)
	}
	return found, nil
}

func (s Set) checkSelects(selector *metav1.LabelSelector) error {
	pods, err := s.pods()
	if err != nil {
		return err
	}
	_, err = selected(selector, pods)
	return err
}

// checkService wants each port of a Service to lead to one that the pods
// declare.
func (s Set) checkService(o Object) error {
	var service corev1.Service
	if err := o.Into(&service); err != nil {
		return err
	}
	pods, err := s.pods()
	if err != nil {
		return err
	}
	found, err := selected(metav1.SetAsLabelSelector(service.Spec.Selector), pods)
	if err != nil {
		return err
	}
	for _, port := range service.Spec.Ports {
		target := port.TargetPort
		if target == (intstr.IntOrString{}) {
			target = intstr.FromInt32(port.Port)
		}
		for _, pod := range found {
			if ServicePort(pod.Spec, target) == 0 {
				return fmt.Errorf("the pods have no port %v for port %d", &target, port.Port)
			}
		}
	}
	return nil
}

// ServicePort returns the number of the port of a pod that a Service leads to,
// in each of the releases, or 0 if no container declares it. Kubernetes 1.29
// has native sidecars, and doesn't look up the names of their ports.
func ServicePort(spec corev1.PodSpec, target intstr.IntOrString) int32 {
	if target.Type == intstr.String {
		spec.InitContainers = nil
	}
	return TargetPort(spec, target)
}

// TargetPort returns the number of the port of a pod that has this name or
// number, or 0 if no container of it declares one.
func TargetPort(spec corev1.PodSpec, target intstr.IntOrString) int32 {
	for _, c := range containers(spec) {
		if port := containerPort(c, target); port != 0 {
			return port
		}
	}
	return 0
}

func containerPort(c corev1.Container, target intstr.IntOrString) int32 {
	for _, port := range c.Ports {
		if target.Type == intstr.String && port.Name == target.StrVal || target.Type == intstr.Int && port.ContainerPort == target.IntVal {
			return port.ContainerPort
		}
	}
	return 0
}

// containers returns those of a pod, and those that start before them.
func containers(spec corev1.PodSpec) []corev1.Container {
	return slices.Concat(spec.InitContainers, spec.Containers)
}
