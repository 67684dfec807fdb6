// Package kube checks objects for Kubernetes without a cluster, as strictly as
// an API server does, and in some things more so: their fields, against the
// OpenAPI schemas of a release and those of custom resources; their names and
// labels; their pods, against the Pod Security Standard "restricted"; and what
// they say of one another.
//
// What it can't see is what an API server knows in code only, such as that two
// fields exclude each other; "make e2e-cluster" asks a real one.
package kube
