package adapters_test

import (
	"strings"
	"testing"

	"sidestream/adapters"
)

func TestBoundID(t *testing.T) {
	long := strings.Repeat("x", adapters.MaxID+1)
	for text, want := range map[string]string{
		"":                    "",
		"id":                  "id",
		long[:adapters.MaxID]: long[:adapters.MaxID],
		// printf 'x%.0s' $(seq 257) | sha256sum
		long: "sha256:15eb95a462ee20bd91a415ae2d4aed341288186ddaa2b37908f7d592f0c3f85f",
	} {
		if got := adapters.BoundID(text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
	if adapters.BoundID(long) == adapters.BoundID(long+"x") {
		t.Error("got the same for two texts, want them apart")
	}
}
