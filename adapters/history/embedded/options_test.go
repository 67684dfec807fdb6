//go:build !sidestream_noembed

package embedded

import (
	"testing"
	"time"

	"sidestream/adapters"
)

func TestDefaults(t *testing.T) {
	o := Defaults()
	var c adapters.OptionErrors
	o.Check(&c, "embedded")
	if err := c.Err(); err != nil {
		t.Errorf("got %v, want no complaint", err)
	}
}

func TestCheck(t *testing.T) {
	for want, edit := range map[string]func(*Options){
		"embedded.dir: it must name a directory":                                 func(o *Options) { o.Dir = "" },
		"embedded.max_bytes: 1023KiB is too little; a history has at least 1MiB": func(o *Options) { o.MaxBytes = 1023 << 10 },
		"embedded.sync_interval: 10ms is not from 100ms to 1h0m0s, nor 0":        func(o *Options) { o.SyncInterval = adapters.Duration(10 * time.Millisecond) },
		"embedded.sync_interval: 2h0m0s is not from 100ms to 1h0m0s, nor 0":      func(o *Options) { o.SyncInterval = adapters.Duration(2 * time.Hour) },
	} {
		o := Defaults()
		edit(&o)
		var c adapters.OptionErrors
		o.Check(&c, "embedded")
		if err := c.Err(); err == nil || err.Error() != want {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}
