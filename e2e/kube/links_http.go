package kube

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
)

func (s Set) checkIngress(o Object) error {
	var ingress networkingv1.Ingress
	if err := o.Into(&ingress); err != nil {
		return err
	}
	for _, rule := range ingress.Spec.Rules {
		if rule.HTTP == nil {
			return fmt.Errorf("the rule of %q has no paths", rule.Host)
		}
		for _, p := range rule.HTTP.Paths {
			to := p.Backend.Service
			if to == nil {
				return fmt.Errorf("path %s leads to no Service", p.Path)
			}
			port := intstr.FromString(to.Port.Name)
			if to.Port.Name == "" {
				port = intstr.FromInt32(to.Port.Number)
			}
			if err := s.checkBackend(to.Name, port); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s Set) checkHTTPRoute(o Object) error {
	var route struct {
		Spec struct {
			Rules []struct {
				BackendRefs []struct {
					Name string
					Port int32
				}
			}
		}
	}
	if err := json.Unmarshal(o.raw, &route); err != nil {
		return err
	}
	for _, rule := range route.Spec.Rules {
		if len(rule.BackendRefs) == 0 {
			return errors.New("a rule leads nowhere")
		}
		for _, to := range rule.BackendRefs {
			if err := s.checkBackend(to.Name, intstr.FromInt32(to.Port)); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkBackend wants a Service of this name with this port.
func (s Set) checkBackend(name string, port intstr.IntOrString) error {
	o := s.Find("Service", name)
	if o == nil {
		return fmt.Errorf("there is no Service %s", name)
	}
	var service corev1.Service
	if err := o.Into(&service); err != nil {
		return err
	}
	if !slices.ContainsFunc(service.Spec.Ports, func(p corev1.ServicePort) bool {
		return port.Type == intstr.String && p.Name == port.StrVal || port.Type == intstr.Int && p.Port == port.IntVal
	}) {
		return fmt.Errorf("the Service %s has no port %v", name, &port)
	}
	return nil
}

// A monitor is what matters here of a ServiceMonitor or a PodMonitor.
type monitor struct {
	Spec struct {
		Selector            metav1.LabelSelector
		Endpoints           []struct{ Port string }
		PodMetricsEndpoints []struct{ Port string }
	}
}

func (s Set) checkServiceMonitor(o Object) error {
	var m monitor
	if err := json.Unmarshal(o.raw, &m); err != nil {
		return err
	}
	selector, err := metav1.LabelSelectorAsSelector(&m.Spec.Selector)
	if err != nil {
		return err
	}
	for _, endpoint := range m.Spec.Endpoints {
		found := false
		for _, service := range s {
			if service.Kind == "Service" && selector.Matches(labels.Set(service.Labels)) {
				found = found || s.checkBackend(service.Name, intstr.FromString(endpoint.Port)) == nil
			}
		}
		if !found {
			return fmt.Errorf("%v selects no Service with a port %s", selector, endpoint.Port)
		}
	}
	return nil
}

func (s Set) checkPodMonitor(o Object) error {
	var m monitor
	if err := json.Unmarshal(o.raw, &m); err != nil {
		return err
	}
	pods, err := s.pods()
	if err != nil {
		return err
	}
	found, err := selected(&m.Spec.Selector, pods)
	if err != nil {
		return err
	}
	for _, endpoint := range m.Spec.PodMetricsEndpoints {
		for _, pod := range found {
			if TargetPort(pod.Spec, intstr.FromString(endpoint.Port)) == 0 {
				return fmt.Errorf("the pods have no port %s", endpoint.Port)
			}
		}
	}
	return nil
}
