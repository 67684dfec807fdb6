package verify

import (
	"strings"
	"testing"
)

func TestStripeHeader(t *testing.T) {
	s := sampleNamed(t, "stripe")
	v := verifier(t, s.options(texts(s.secret)...), s.at)
	const (
		right = "831d62d7bd2df8d729223b6dd340904065d11d41cb4a070864c1003ba950f320"
		wrong = "6ffbb59b2300aae63f272406069a9788598b792a944a07aba816edb039989a39"
	)
	for header, want := range map[string]bool{
		"t=1492774577,v1=" + right:                                       true,
		"v1=" + right + ",t=1492774577":                                  true,
		"t=1492774577,v1=" + wrong + ",v1=" + right:                      true, // while a secret is replaced
		"t=1492774577,v1=" + right + ",v0=" + wrong:                      true,
		"t=1492774577,v1=" + right + strings.Repeat(",v0=x", 30):         true,
		"t=1492774577,v1=" + right + strings.Repeat(",v0=x", 31):         false,
		"t=1492774577,v1=" + wrong:                                       false,
		"t=1492774577,v0=" + right:                                       false,
		"t=1492774577,V1=" + right:                                       false,
		"t=1492774577, v1=" + right:                                      false,
		"t=1492774577,v1=" + right + ",":                                 false,
		"t=1492774577,t=1492774577,v1=" + right:                          false,
		"t=1492774577;v1=" + right:                                       false,
		"v1=" + right:                                                    false,
		"t=,v1=" + right:                                                 false,
		"t=+1492774577,v1=" + right:                                      false,
		"t=01492774577,v1=" + right:                                      false,
		"t=1492774577.0,v1=" + right:                                     false,
		"t=1492774577,v1=" + strings.ToUpper(right):                      false,
		"t=1492774577,v1=":                                               false,
		"t=1492774577,v1=" + right[:62]:                                  false,
		"t=99999999999999999999,v1=" + right:                             false,
		"t=1492774577,v1=" + right + ",v0=" + strings.Repeat("x", 4<<10): false,
	} {
		r := request("/", "Stripe-Signature", header)
		if want {
			accepts(t, header, v, r, s.body)
		} else {
			refuses(t, header, v, r, s.body)
		}
	}
}
