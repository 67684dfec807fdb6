package embedded

import (
	"time"

	"sidestream/adapters"
)

// Options are what may be configured of the server.
type Options struct {
	// Dir is the directory of the store, relative to the working directory
	// unless it is absolute. It is made if it isn't there, and belongs to one
	// process at a time. Its file system must know hard links and file locks.
	Dir string `yaml:"dir"`

	// MaxBytes bounds what all histories keep, in all, from 1MiB. What streams
	// reserve for themselves is counted in full. On disk it may be somewhat
	// more, until what was dropped is cleared away.
	MaxBytes adapters.Size `yaml:"max_bytes"`

	// SyncInterval is how often what was stored is forced from the system's
	// memory to the disk, from 100ms to 1h. A crash of the machine may lose as
	// much of what was acknowledged; that of the process loses nothing. 0
	// forces each message to the disk before it is acknowledged.
	SyncInterval adapters.Duration `yaml:"sync_interval"`
}

// MaxMessage is the largest message that the server takes, in bytes of header
// and data. It is the most that nats-server takes without complaint.
const MaxMessage = 8 << 20

// Defaults returns the options that hold when nothing is configured.
func Defaults() Options {
	return Options{
		Dir:      "data/history",
		MaxBytes: 1 << 30,
	}
}

const (
	leastBytes = 1 << 20
	leastSync  = adapters.Duration(100 * time.Millisecond)
	mostSync   = adapters.Duration(time.Hour)
)

// Check adds to c what is wrong with the options, which are at path.
func (o *Options) Check(c *adapters.OptionErrors, path string) {
	if !Built {
		c.Refuse(true, path, "this program was built without the embedded server; configure the urls of a NATS server in its place")
		return
	}
	c.Refuse(o.Dir == "", path+".dir", "it must name a directory")
	c.Refuse(o.MaxBytes < leastBytes, path+".max_bytes", "%v is too little; a history has at least 1MiB", o.MaxBytes)
	c.Refuse(o.SyncInterval != 0 && (o.SyncInterval < leastSync || o.SyncInterval > mostSync), path+".sync_interval",
		"%v is not from %v to %v, nor 0", o.SyncInterval, leastSync, mostSync)
}
