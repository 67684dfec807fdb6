package kafka

import (
	"reflect"

	"sidestream/adapters/kafka/broker"
)

// A cluster is what several factories share.
type cluster struct {
	*broker.Cluster
	options *Options // those that matter are equal in all factories
	tokens  func()   // closes where tokens come from

	beginning chan struct{} // holds a value for each Run that looks up where to begin
}

// maxBeginning bounds the Runs that look up at a time where to begin. When all
// clients of another replica come at once, the brokers have enough to do.
const maxBeginning = 16

func newCluster(o *Options) *cluster {
	options, closeTokens := o.broker()
	return &cluster{Cluster: broker.New(options), options: o, tokens: closeTokens, beginning: make(chan struct{}, maxBeginning)}
}

// fits reports whether a factory with these options could do with it.
func (c *cluster) fits(o *Options) bool {
	return reflect.DeepEqual(c.options.Connection, o.Connection) && c.options.Fetch.MaxResponse == o.Fetch.MaxResponse
}

// Close closes the connections that are idle. Those in use are closed by who
// uses them.
func (c *cluster) Close() {
	c.Cluster.Close()
	c.tokens()
}
