// Package cluster installs the charts in a real cluster and tries what only
// one can show: that an API server takes every object in a namespace that
// enforces the Pod Security Standard "restricted", that kubelets run the pods,
// and that clients in the cluster miss nothing while routes change and pods are
// replaced. It needs a cluster, kubectl, Helm, and an image of the program that
// the nodes can get:
//
//	make e2e-cluster KUBECONFIG=$HOME/.kube/config IMAGE=registry.example.com/sidestream:0.1.0
//
// All that it installs is in a namespace of its own, which goes at the end. With
// none of these, "go test ./..." only compiles and vets it.
package cluster
