package kafka

import (
	"context"
	"reflect"

	"sidestream/adapters/kafka/broker"
)

// A cluster is what several factories share.
type cluster struct {
	*broker.Cluster
	options *Options // those that matter are equal in all factories
	tokens  func()   // closes where tokens come from

	asking chan struct{} // holds a value for each question that is being asked
}

// maxAsking bounds the questions that are asked at a time, beside what is
// fetched. When all clients of another replica come at once, and each Run asks
// where to begin, the brokers have enough to do.
const maxAsking = 16

// turn waits until a question may be asked. It is over when done is called.
func (c *cluster) turn(ctx context.Context) (done func(), err error) {
	select {
	case c.asking <- struct{}{}:
		return func() { <-c.asking }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func newCluster(o *Options) *cluster {
	options, closeTokens := o.broker()
	return &cluster{Cluster: broker.New(options), options: o, tokens: closeTokens, asking: make(chan struct{}, maxAsking)}
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
