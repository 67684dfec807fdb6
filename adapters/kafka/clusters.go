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
}

func newCluster(o *Options) *cluster {
	options, closeTokens := o.broker()
	return &cluster{Cluster: broker.New(options), options: o, tokens: closeTokens}
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
