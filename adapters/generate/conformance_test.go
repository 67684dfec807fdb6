package generate

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"sidestream/adapters"
	"sidestream/adapters/adaptertest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestConformance(t *testing.T) {
	for name, every := range map[string]time.Duration{"paced": time.Millisecond, "as fast as possible": 0} {
		t.Run(name, func(t *testing.T) {
			adaptertest.Run(t, adaptertest.Harness{
				Start: func(tb testing.TB) *adaptertest.Upstream {
					tb.Helper()
					return &adaptertest.Upstream{
						Factory: open(tb, []string{"user"}, func(o *Options) {
							o.Every = adapters.Duration(every)
							o.Data = "{{.N}}"
						}),
						Number: func(e adapters.Event) (int, error) { return strconv.Atoi(string(e.Data)) },
					}
				},
				Hostile: []adapters.Vars{
					{"user": "a\r\nb"}, {"user": "a\x00b"}, {"user": "\xff"}, {"user": strings.Repeat("a", 64<<10)},
				},
			})
		})
	}
}

// open returns the factory of a route with the given variables, and options
// as change leaves them.
func open(tb testing.TB, vars []string, change func(*Options)) adapters.Factory {
	tb.Helper()
	f, err := Adapter().Configure(adapters.Route{Vars: vars}, func(options any) error {
		change(options.(*Options))
		return nil
	})
	if err != nil {
		tb.Fatalf("Configure: got error %v, want none", err)
	}
	return f
}
