package proxy

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"sidestream/adapters"
	"sidestream/adapters/adaptertest"
	"sidestream/proxy/eventstream"
	"sidestream/proxy/strictyaml"
)

// world is a server on virtual time and pipes in place of sockets, with
// upstreams in memory. The adapter "log" of its routing tables reads the
// upstream that its option "name" says; an upstream's first letter says
// which form it has: r is replayable, s stateful, p positionless, b a bucket. The adapter
// "api" reads the world's api, and "document" its document.
type world struct {
	t        *testing.T
	mu       sync.Mutex
	logs     map[string]*adaptertest.Log
	topics   map[string]*topic
	registry *adapters.Registry
	api      *api
	document *document
	server   *Server
	public   *pipeListener
	admin    *pipeListener
	own      map[string]*pipeListener // for requests that bring events, by address
	log      *bytes.Buffer
	stop     context.CancelFunc
	done     chan error
}

// inWorld runs f with a server for table, and ends both afterwards.
func inWorld(t *testing.T, table string, f func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		type options struct {
			Name    string   `yaml:"name"`
			Start   string   `yaml:"start"` // "oldest", or where the upstream's form says
			Always  bool     `yaml:"always"`
			Forward []string `yaml:"forward"`
		}
		logAdapter := adapters.New("log",
			func() options { return options{Name: "r"} },
			func(o options, _ adapters.Route) (adapters.Factory, error) {
				f := w.upstream(o.Name).Factory()
				can := f.Capabilities()
				can.Always, can.Forward = o.Always, o.Forward
				return capable{f, can, o.Start == "oldest"}, nil
			})
		w.registry = adapters.NewRegistry(logAdapter, w.topicAdapter(), w.api.adapter(), w.document.adapter())
		w.boot(table)
		f(w)
		w.shutdown()
	})
}

// newWorld returns a world without a server, which knows no adapter.
func newWorld(t *testing.T) *world {
	t.Helper()
	return &world{t: t, logs: map[string]*adaptertest.Log{}, topics: map[string]*topic{}, api: newAPI(), document: newDocument(), log: &bytes.Buffer{}}
}

// capable is a factory that says of itself what its test wants, and may start
// at the oldest event.
type capable struct {
	adapters.Factory
	can    adapters.Capabilities
	oldest bool
}

func (c capable) Capabilities() adapters.Capabilities { return c.can }

func (c capable) Open(vars adapters.Vars, env adapters.Env) (adapters.Source, error) {
	s, err := c.Factory.Open(vars, env)
	if err != nil || !c.oldest {
		return s, err
	}
	return fromOldest{s}, nil
}

// fromOldest is a source that starts at the oldest event there is.
type fromOldest struct{ adapters.Source }

func (s fromOldest) Run(ctx context.Context, after adapters.Position, emit func(adapters.Event) error) error {
	if after == "" {
		var lost *adapters.PositionLostError
		if err := s.Source.Run(ctx, "none", emit); errors.As(err, &lost) {
			after = lost.Resume
		}
	}
	return s.Source.Run(ctx, after, emit)
}

// boot starts a server, the first one or another after shutdown.
func (w *world) boot(table string) {
	w.t.Helper()
	ctx, stop := context.WithCancel(w.t.Context())
	w.stop, w.done = stop, make(chan error, 1)
	w.public, w.admin, w.own = newPipeListener(), newPipeListener(), map[string]*pipeListener{}
	config := w.parse(table)
	public, err := newPublic("listen[0]", config.Listen[0])
	if err != nil {
		w.t.Fatal(err)
	}
	public.Listener = w.public
	listeners := Listeners{Public: []PublicListener{public}, Admin: w.admin}
	for _, at := range config.ingestAddresses() {
		w.own[at.address] = newPipeListener()
		listeners.Ingest = append(listeners.Ingest, IngestListener{w.own[at.address], at})
	}
	w.server = New(config, Settings{Log: zerolog.New(zerolog.SyncWriter(w.log)).Level(zerolog.DebugLevel), Version: "test"})
	go func() {
		w.done <- w.server.Run(ctx, listeners)
	}()
}

func (w *world) parse(table string) *Config {
	w.t.Helper()
	config, err := Parse("test.yaml", []byte(table), w.registry, strictyaml.References{Env: os.LookupEnv})
	if err != nil {
		w.t.Fatal(err)
	}
	return config
}

func (w *world) shutdown() {
	w.t.Helper()
	w.stop()
	if err := <-w.done; err != nil {
		w.t.Errorf("Run: %v", err)
	}
	if w.t.Failed() {
		w.t.Logf("log:\n%s", w.log)
	}
}

// upstream returns the log called name.
func (w *world) upstream(name string) *adaptertest.Log {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.logs[name] == nil {
		form := map[byte]adaptertest.Form{'r': adaptertest.Replayable, 's': adaptertest.Stateful, 'p': adaptertest.Positionless, 'b': adaptertest.Bucket}[name[0]]
		w.logs[name] = &adaptertest.Log{Name: name, Form: form}
	}
	return w.logs[name]
}

// publish appends an event with each of data to the upstream called name.
func (w *world) publish(name string, data ...string) {
	for _, d := range data {
		w.upstream(name).Append(adapters.Event{Data: []byte(d)})
	}
	synctest.Wait()
}

// patch appends a change, and the state that it leads to, to the upstream
// called name.
func (w *world) patch(name, change, state string) {
	w.upstream(name).Append(adapters.Event{
		Type: "patch", Data: []byte(change),
		State: &adapters.State{Type: "snapshot", Data: []byte(state)},
	})
	synctest.Wait()
}

func (w *world) client(l *pipeListener) *http.Client {
	return &http.Client{
		Transport:     &http.Transport{DialContext: l.dial, DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// get makes a request with the given headers, "Name: value" each.
func (w *world) get(path string, headers ...string) *http.Response {
	w.t.Helper()
	return w.do(http.MethodGet, path, headers...)
}

func (w *world) do(method, path string, headers ...string) *http.Response {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), method, "http://example.com"+path, http.NoBody)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		req.Header[http.CanonicalHeaderKey(name)] = append(req.Header[http.CanonicalHeaderKey(name)], value)
	}
	resp, err := w.client(w.public).Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	return resp
}

// adminGet returns the status and body of an admin page.
func (w *world) adminGet(path string) (status int, body string) {
	w.t.Helper()
	resp, err := w.client(w.admin).Get("http://admin" + path)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

// metric returns the line of /metrics that starts with name.
func (w *world) metric(name string) string {
	w.t.Helper()
	_, body := w.adminGet("/metrics")
	for line := range strings.Lines(body) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// connection is a client of a stream that reads all it can get.
type connection struct {
	w    *world
	resp *http.Response
	done chan struct{} // closed when the body has ended

	mu     sync.Mutex
	raw    bytes.Buffer
	events []eventstream.Event
}

// connect opens a stream.
func (w *world) connect(path string, headers ...string) *connection {
	w.t.Helper()
	c := &connection{w: w, resp: w.get(path, headers...), done: make(chan struct{})}
	if c.resp.StatusCode != http.StatusOK {
		w.t.Fatalf("%s: got status %s, want 200", path, c.resp.Status)
	}
	go c.read()
	synctest.Wait()
	return c
}

func (c *connection) read() {
	defer close(c.done)
	dec := eventstream.NewDecoder(io.TeeReader(c.resp.Body, writerFunc(func(p []byte) (int, error) {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.raw.Write(p)
	})), nil)
	for {
		e, err := dec.Next()
		if err != nil {
			return
		}
		e.Data = bytes.Clone(e.Data)
		c.mu.Lock()
		c.events = append(c.events, e)
		c.mu.Unlock()
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// drop closes the connection from the client's side.
func (c *connection) drop() {
	_ = c.resp.Body.Close()
	<-c.done
	synctest.Wait()
}

// ended reports whether the server has ended the response.
func (c *connection) ended() bool {
	synctest.Wait()
	select {
	case <-c.done:
		return true
	default:
		return false
	}
}

// bytes returns all that was received.
func (c *connection) bytes() string {
	synctest.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.raw.String()
}

// lastID returns the id of the newest event, as a browser would send it.
func (c *connection) lastID() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.events) == 0 {
		return ""
	}
	return c.events[len(c.events)-1].ID
}

var epoch = regexp.MustCompile(`^[a-z2-7]{8}-`)

// seen returns the events received so far as "id type data", "message" left
// out and the epoch of ids that the feed gave replaced by E.
func (c *connection) seen() []string {
	synctest.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	list := []string{}
	for _, e := range c.events {
		typ := e.Type + " "
		if e.Type == "message" {
			typ = ""
		}
		list = append(list, epoch.ReplaceAllString(e.ID, "E-")+" "+typ+string(e.Data))
	}
	return list
}

// wants checks that exactly these events have come so far. One that ends in
// "…" stands for all that start so.
func (c *connection) wants(want ...string) {
	c.w.t.Helper()
	got := c.seen()
	if !slices.EqualFunc(got, want, func(g, w string) bool {
		prefix, open := strings.CutSuffix(w, "…")
		return g == w || open && strings.HasPrefix(g, prefix)
	}) {
		c.w.t.Errorf("events:\ngot  %s\nwant %s", strings.Join(got, "\n     "), strings.Join(want, "\n     "))
	}
}

// pipeListener hands out connections in memory.
type pipeListener struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newPipeListener() *pipeListener {
	return &pipeListener{conns: make(chan net.Conn), closed: make(chan struct{})}
}

func (l *pipeListener) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	client, server := net.Pipe()
	return l.connect(ctx, client, server)
}

// connect has the listener accept server, and returns client.
func (l *pipeListener) connect(ctx context.Context, client, server net.Conn) (net.Conn, error) {
	select {
	case l.conns <- server:
		return client, nil
	case <-l.closed:
		return nil, errors.New("connection refused")
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *pipeListener) Addr() net.Addr { return pipeAddr{} }

type pipeAddr struct{}

func (pipeAddr) Network() string { return "pipe" }
func (pipeAddr) String() string  { return "pipe" }

// after lets virtual time pass.
func after(d time.Duration) {
	time.Sleep(d) // virtual: inside the bubble
	synctest.Wait()
}

func numbers(from, to int) []string {
	var list []string
	for i := from; i <= to; i++ {
		list = append(list, strconv.Itoa(i))
	}
	return list
}
