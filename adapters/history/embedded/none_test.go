//go:build sidestream_noembed

package embedded

import (
	"testing"

	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"sidestream/adapters"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestNotBuilt(t *testing.T) {
	o := Defaults()
	var c adapters.OptionErrors
	o.Check(&c, "embedded")
	const want = "embedded: this program was built without the embedded server; configure the urls of a NATS server in its place"
	if err := c.Err(); err == nil || err.Error() != want {
		t.Errorf("Check: got %v, want %q", err, want)
	}
	s := Open(o, zerolog.Nop())
	defer s.Close()
	for s.Trouble() == nil || !adapters.IsPermanent(s.Trouble()) {
		<-s.Changed()
	}
	if _, err := s.InProcessConn(); adapters.Reason(err) != reasonNotBuilt {
		t.Errorf("got %v, want %q", err, reasonNotBuilt)
	}
}
