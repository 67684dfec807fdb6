package kube

import (
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
)

// Pod returns what an object makes pods of, or nil if it makes none.
func Pod(o Object) (*corev1.PodTemplateSpec, error) {
	switch o.Kind {
	case "Pod":
		var pod corev1.Pod
		err := o.Into(&pod)
		return &corev1.PodTemplateSpec{ObjectMeta: pod.ObjectMeta, Spec: pod.Spec}, err
	case "Deployment":
		var d appsv1.Deployment
		err := o.Into(&d)
		return &d.Spec.Template, err
	case "StatefulSet":
		var s appsv1.StatefulSet
		err := o.Into(&s)
		return &s.Spec.Template, err
	case "DaemonSet":
		var d appsv1.DaemonSet
		err := o.Into(&d)
		return &d.Spec.Template, err
	case "Job":
		var j batchv1.Job
		err := o.Into(&j)
		return &j.Spec.Template, err
	case "CronJob":
		var c batchv1.CronJob
		err := o.Into(&c)
		return &c.Spec.JobTemplate.Spec.Template, err
	}
	return nil, nil
}

// CheckRestricted reports why a namespace that enforces the Pod Security
// Standard "restricted", as of a release such as "v1.36", refuses the pods of
// an object. It is the code of the API server that decides.
func CheckRestricted(o Object, release string) error {
	version, err := api.ParseVersion(release)
	if err != nil {
		return err
	}
	pod, err := Pod(o)
	if err != nil || pod == nil {
		return err
	}
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		return err
	}
	level := api.LevelVersion{Level: api.LevelRestricted, Version: version}
	result := policy.AggregateCheckResults(evaluator.EvaluatePod(level, &pod.ObjectMeta, &pod.Spec))
	if !result.Allowed {
		return fmt.Errorf("%v: %s", o, result.ForbiddenDetail())
	}
	return nil
}
