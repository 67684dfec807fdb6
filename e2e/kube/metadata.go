package kube

import (
	"k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// checkMetadata reports names, labels and annotations that an API server
// refuses. As for it, a name is mandatory, and a namespace is not.
func checkMetadata(o Object) []error {
	valid := validation.NameIsDNSSubdomain
	if o.Kind == "Service" {
		valid = validation.NameIsDNS1035Label
	}
	meta := o.ObjectMeta.DeepCopy()
	if meta.Namespace == "" {
		meta.Namespace = "default"
	}
	var wrong []error
	for _, err := range validation.ValidateObjectMeta(meta, true, valid, field.NewPath("metadata")) {
		wrong = append(wrong, err)
	}
	return wrong
}
