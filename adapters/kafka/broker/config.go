package broker

import (
	"context"
	"fmt"

	"github.com/segmentio/kafka-go/protocol"
)

// topicResource is the type that topics have in DescribeConfigs.
const topicResource = 2

// TopicConfig returns the values of some of a topic's settings, those that it
// has by default included. One that the broker doesn't know or doesn't show is
// left out. A [kafka.Error] says why there are none.
func (c *Conn) TopicConfig(ctx context.Context, topic string, names ...string) (map[string]string, error) {
	x := &configExchange{topic: topic, names: names}
	if err := c.do(ctx, x); err != nil {
		return nil, err
	}
	if x.err != nil {
		return nil, fmt.Errorf("settings of the topic: %w", x.err)
	}
	return x.values, nil
}

type configExchange struct {
	topic string
	names []string

	err    error // a [kafka.Error]
	values map[string]string
}

func (*configExchange) form() form {
	return form{key: protocol.DescribeConfigs, versions: []span{{0, 3}}}
}

func (x *configExchange) encode(e *encoder, version int16) {
	e.count(1)
	e.int8(topicResource)
	e.string(x.topic)
	e.count(len(x.names))
	for _, name := range x.names {
		e.string(name)
	}
	if version >= 1 {
		e.bool(false) // synonyms
	}
	if version >= 3 {
		e.bool(false) // documentation
	}
}

func (x *configExchange) decode(d *decoder, version int16) {
	d.throttle = d.int32()
	if d.count(11) != 1 {
		d.fail()
		return
	}
	x.err = d.code()
	d.string() // the same in words
	d.skip(1)  // type
	d.string() // name
	x.values = make(map[string]string)
	for n := d.count(7); n > 0; n-- {
		name, value := d.string(), d.text()
		d.skip(3) // whether it can be changed, where it comes from, whether it is a secret
		if version >= 1 {
			for n := d.count(5); n > 0; n-- {
				d.string()
				d.string()
				d.skip(1)
			}
		}
		if version >= 3 {
			d.skip(1)  // type
			d.string() // documentation
		}
		if value != nil && d.err == nil {
			x.values[name] = string(value)
		}
	}
}
