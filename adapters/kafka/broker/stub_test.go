package broker_test

import (
	"encoding/binary"
	"io"
	"net"
	"sync"
	"testing"

	"github.com/twmb/franz-go/pkg/kbin"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// serve starts a server that does as a test says with each connection, and ends
// with the test.
func serve(tb testing.TB, handle func(net.Conn)) (address string) {
	tb.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	return serveOn(tb, listener, handle)
}

func serveOn(tb testing.TB, listener net.Listener, handle func(net.Conn)) (address string) {
	tb.Helper()
	var (
		mu    sync.Mutex
		open  = map[net.Conn]bool{} // guarded by mu; nil when the server has ended
		all   sync.WaitGroup
		track = func(conn net.Conn) bool {
			mu.Lock()
			defer mu.Unlock()
			if open != nil {
				open[conn] = true
			}
			return open != nil
		}
	)
	all.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			if !track(conn) {
				conn.Close()
				return
			}
			all.Go(func() {
				defer conn.Close()
				handle(conn)
			})
		}
	})
	tb.Cleanup(func() {
		listener.Close()
		mu.Lock()
		for conn := range open {
			conn.Close()
		}
		open = nil
		mu.Unlock()
		all.Wait()
	})
	return listener.Addr().String()
}

// receive reads one request.
func receive(conn net.Conn) (request kmsg.Request, correlation int32, err error) {
	var size [4]byte
	if _, err := io.ReadFull(conn, size[:]); err != nil {
		return nil, 0, err
	}
	body := make([]byte, binary.BigEndian.Uint32(size[:]))
	if _, err := io.ReadFull(conn, body); err != nil {
		return nil, 0, err
	}
	r := kbin.Reader{Src: body}
	key, version := r.Int16(), r.Int16()
	correlation = r.Int32()
	r.NullableString()
	request = kmsg.RequestForKey(key)
	request.SetVersion(version)
	if request.IsFlexible() {
		kmsg.SkipTags(&r)
	}
	return request, correlation, request.ReadFrom(r.Src)
}

// frame returns the bytes of an answer.
func frame(correlation int32, response kmsg.Response) []byte {
	b := binary.BigEndian.AppendUint32(make([]byte, 4), uint32(correlation))
	if response.IsFlexible() && response.Key() != kmsg.ApiVersions.Int16() {
		b = append(b, 0)
	}
	b = response.AppendTo(b)
	binary.BigEndian.PutUint32(b, uint32(len(b)-4))
	return b
}

// talk answers the requests that come over a connection, those for versions by
// itself, until answer returns nil.
func talk(conn net.Conn, answer func(kmsg.Request) kmsg.Response) {
	for {
		request, correlation, err := receive(conn)
		if err != nil {
			return
		}
		var response kmsg.Response
		if versions, ok := request.(*kmsg.ApiVersionsRequest); ok {
			response = allVersions(versions)
		} else if response = answer(request); response == nil {
			return
		}
		response.SetVersion(request.GetVersion())
		if _, err := conn.Write(frame(correlation, response)); err != nil {
			return
		}
	}
}

// allVersions offers all that there is.
func allVersions(*kmsg.ApiVersionsRequest) kmsg.Response {
	response := kmsg.NewPtrApiVersionsResponse()
	for _, key := range []kmsg.Key{kmsg.Fetch, kmsg.ListOffsets, kmsg.Metadata, kmsg.DescribeConfigs, kmsg.SASLHandshake, kmsg.SASLAuthenticate} {
		response.ApiKeys = append(response.ApiKeys, kmsg.ApiVersionsResponseApiKey{
			ApiKey: key.Int16(), MaxVersion: kmsg.RequestForKey(key.Int16()).MaxVersion(),
		})
	}
	return response
}

// metadata answers that there is one broker, at this address.
func metadata(tb testing.TB, address string) kmsg.Response {
	tb.Helper()
	n := node(tb, address)
	response := kmsg.NewPtrMetadataResponse()
	response.Brokers = []kmsg.MetadataResponseBroker{{NodeID: 1, Host: n.Host, Port: n.Port}}
	return response
}
