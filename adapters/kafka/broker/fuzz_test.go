package broker

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// FuzzAnswers decodes what anybody may send as each kind of answer. It must not
// panic, and what is made of it is bounded by its size.
func FuzzAnswers(f *testing.F) {
	kinds := []func() exchange{
		func() exchange { return newFetchExchange(fetchRequest()) },
		func() exchange { return &metadataExchange{topics: []string{"a", "none"}} },
		func() exchange {
			x := &offsetsExchange{at: []OffsetRequest{{Topic: "a"}}, index: map[place]int{}, offsets: make([]Offset, 1)}
			x.take([]int{0})
			return x
		},
		func() exchange { return &configExchange{} },
		func() exchange { return &handshakeExchange{} },
		func() exchange { return &authenticateExchange{} },
		func() exchange { return &versionsExchange{} },
	}
	for kind, x := range kinds {
		for _, v := range versions(x()) {
			answer := kmsg.ResponseForKey(int16(x().form().key))
			answer.SetVersion(v)
			f.Add(uint8(kind), uint8(v), answer.AppendTo(nil))
		}
	}
	f.Add(uint8(0), uint8(4), []byte("\x00\x00\x00\x00\x7f\xff\xff\xff"))
	f.Add(uint8(1), uint8(12), []byte("\x00\x00\x00\x00\xff\xff\xff\xff\x07"))
	f.Fuzz(func(t *testing.T, kind, version uint8, body []byte) {
		x := kinds[int(kind)%len(kinds)]()
		known := versions(x)
		v := known[int(version)%len(known)]
		form := x.form()
		d := decoder{b: body, flexible: form.flexible > 0 && v >= form.flexible}
		x.decode(&d, v)
		elements := 0
		switch x := x.(type) {
		case *fetchExchange:
			for _, f := range x.fetched {
				if f != nil {
					elements += len(f.Aborted) + len(f.Records)
				}
			}
		case *metadataExchange:
			for _, topic := range x.answer.Topics {
				elements += len(topic.Partitions)
			}
			elements += len(x.answer.Brokers)
		case *configExchange:
			elements = len(x.values)
		case *handshakeExchange:
			elements = len(x.offered)
		}
		if elements > len(body) {
			t.Errorf("got %d elements out of %d bytes, want no more than bytes", elements, len(body))
		}
	})
}
