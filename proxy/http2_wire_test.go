package proxy

import (
	"bytes"
	"net"
	"sync"
	"testing/synctest"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// An http2Wire is a client of HTTP/2 that does what it is told and no more, but
// for answering pings.
type http2Wire struct {
	net.Conn
	framer *http2.Framer
	header bytes.Buffer
	coder  *hpack.Encoder
	done   chan struct{} // closed when the server has closed the connection

	writing sync.Mutex

	mu       sync.Mutex
	settings map[http2.SettingID]uint32
	status   map[uint32]string // by stream
	data     map[uint32]string
	reset    map[uint32]http2.ErrCode
	goAway   bool
}

// overHTTP2 begins HTTP/2 on conn.
func overHTTP2(conn net.Conn) *http2Wire {
	c := &http2Wire{
		Conn: conn, framer: http2.NewFramer(conn, conn), done: make(chan struct{}),
		settings: map[http2.SettingID]uint32{}, status: map[uint32]string{}, data: map[uint32]string{}, reset: map[uint32]http2.ErrCode{},
	}
	c.framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	c.coder = hpack.NewEncoder(&c.header)
	go func() {
		defer close(c.done)
		defer conn.Close()
		if _, err := conn.Write([]byte(http2.ClientPreface)); err != nil || c.framer.WriteSettings() != nil {
			return
		}
		for c.read() {
		}
	}()
	synctest.Wait()
	return c
}

func (c *http2Wire) read() bool {
	frame, err := c.framer.ReadFrame()
	if err != nil {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch f := frame.(type) {
	case *http2.SettingsFrame:
		if !f.IsAck() {
			_ = f.ForeachSetting(func(s http2.Setting) error { c.settings[s.ID] = s.Val; return nil })
			go c.write(c.framer.WriteSettingsAck)
		}
	case *http2.PingFrame:
		if data := f.Data; !f.IsAck() {
			go c.write(func() error { return c.framer.WritePing(true, data) })
		}
	case *http2.MetaHeadersFrame:
		c.status[f.StreamID] = f.PseudoValue("status")
	case *http2.DataFrame:
		c.data[f.StreamID] += string(f.Data())
	case *http2.RSTStreamFrame:
		c.reset[f.StreamID] = f.ErrCode
	case *http2.GoAwayFrame:
		c.goAway = true
	}
	return true
}

func (c *http2Wire) write(frame func() error) {
	c.writing.Lock()
	defer c.writing.Unlock()
	_ = frame()
}

// ask requests the stream at /a on a stream of the connection, with further
// headers. With whole false, the end of the headers isn't sent.
func (c *http2Wire) ask(stream uint32, whole bool, headers ...hpack.HeaderField) {
	c.header.Reset()
	for _, f := range append([]hpack.HeaderField{
		{Name: ":method", Value: "GET"}, {Name: ":scheme", Value: "https"}, {Name: ":authority", Value: "x"}, {Name: ":path", Value: "/a"},
		{Name: "accept", Value: eventStreamType},
	}, headers...) {
		_ = c.coder.WriteField(f) // to memory
	}
	block := bytes.Clone(c.header.Bytes())
	go c.write(func() error {
		const most = 16 << 10 // of a frame
		part := block[:min(most, len(block))]
		rest := block[len(part):]
		err := c.framer.WriteHeaders(http2.HeadersFrameParam{
			StreamID: stream, BlockFragment: part, EndStream: true, EndHeaders: whole && len(rest) == 0,
		})
		for err == nil && len(rest) > 0 {
			part, rest = rest[:min(most, len(rest))], rest[min(most, len(rest)):]
			err = c.framer.WriteContinuation(stream, whole && len(rest) == 0, part)
		}
		return err
	})
	synctest.Wait()
}

// look returns what a stream of the connection has brought: its status, and all
// data.
func (c *http2Wire) look(stream uint32) (status, data string) {
	synctest.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.status[stream], c.data[stream]
}

func (c *http2Wire) closed() bool {
	synctest.Wait()
	select {
	case <-c.done:
		return true
	default:
		return false
	}
}
