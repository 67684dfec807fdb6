package broker

import (
	"context"
	"time"

	"github.com/segmentio/kafka-go/protocol"
)

// maxHandshake bounds the answers that come before the first request, in bytes:
// one that isn't a broker's may begin with any length.
const maxHandshake = 64 << 10

// learnVersions asks the broker for the versions of requests that it offers.
func (l *link) learnVersions(ctx context.Context, timeout time.Duration) error {
	l.offered = map[protocol.ApiKey]span{protocol.ApiVersions: {}} // v0 is what all brokers have
	var x versionsExchange
	if err := l.do(ctx, &x, timeout); err != nil {
		return err
	}
	if x.err != nil {
		return l.failed(ctx, protocol.ApiVersions, Classify(x.err))
	}
	l.offered = x.offered
	return nil
}

type versionsExchange struct {
	err     error // a [kafka.Error]
	offered map[protocol.ApiKey]span
}

func (*versionsExchange) form() form {
	return form{key: protocol.ApiVersions, versions: []span{{0, 0}}}
}

func (*versionsExchange) encode(*encoder, int16) {}

func (x *versionsExchange) decode(d *decoder, _ int16) {
	x.err = d.code()
	x.offered = make(map[protocol.ApiKey]span)
	for n := d.count(6); n > 0; n-- {
		key, versions := protocol.ApiKey(d.int16()), span{d.int16(), d.int16()}
		switch key {
		case protocol.Fetch, protocol.ListOffsets, protocol.Metadata, protocol.DescribeConfigs,
			protocol.SaslHandshake, protocol.SaslAuthenticate:
			x.offered[key] = versions
		default: // not used here
		}
	}
	if x.err == nil && len(x.offered) == 0 {
		d.fail() // whatever it is, it serves no topics
	}
}
