package proxy

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"sidestream/adapters"
	"sidestream/adapters/adaptertest"
)

// post is the adapter of sources that requests bring events to, in a test.
type post struct {
	can    adapters.Capabilities                  // in addition to Ingest
	tls    map[string]func() (*tls.Config, error) // by the name of a route
	serve  func(http.ResponseWriter, *http.Request) (done bool)
	down   atomic.Pointer[error] // what Run returns
	closed atomic.Int64          // factories

	mu  sync.Mutex
	run int // sources that run
}

// postOptions are those of a route.
type postOptions struct {
	In      string   `yaml:"in"`
	Methods []string `yaml:"methods"`
	Listen  string   `yaml:"listen"`
	TLS     string   `yaml:"tls"`
	Room    int      `yaml:"room"`
}

func (p *post) adapter() adapters.Adapter {
	return adapters.New("post", func() postOptions { return postOptions{Methods: []string{http.MethodPost}} },
		func(o postOptions, r adapters.Route) (adapters.Factory, error) {
			in := adapters.Ingest{Path: o.In, Methods: o.Methods, Address: o.Listen}
			if o.TLS != "" {
				in.TLS = p.tls[o.TLS]
			}
			return &postFactory{post: p, Mailbox: &adaptertest.Mailbox{In: in, Vars: r.Vars, Room: o.Room}}, nil
		})
}

type postFactory struct {
	*adaptertest.Mailbox
	*post
}

func (f *postFactory) Capabilities() adapters.Capabilities {
	can := f.can
	can.Ingest = true
	return can
}

func (f *postFactory) Open(vars adapters.Vars, env adapters.Env) (adapters.Source, error) {
	s, err := f.Mailbox.Open(vars, env)
	if err != nil {
		return nil, err
	}
	return postSource{s, s.(adapters.Receiver), f.post}, nil
}

func (f *postFactory) ServeIngest(w http.ResponseWriter, r *http.Request, receive adapters.ReceiveFunc) {
	if f.serve == nil || !f.serve(w, r) {
		f.Mailbox.ServeIngest(w, r, receive)
	}
}

func (f *postFactory) Close() error {
	f.closed.Add(1)
	return nil
}

type postSource struct {
	adapters.Source
	adapters.Receiver
	post *post
}

func (s postSource) Run(ctx context.Context, after adapters.Position, emit func(adapters.Event) error) error {
	if err := s.post.down.Load(); err != nil {
		return *err
	}
	s.post.count(1)
	defer s.post.count(-1)
	return s.Source.Run(ctx, after, emit)
}

func (p *post) count(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.run += n
}

// running returns how many sources run.
func (p *post) running() int {
	synctest.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.run
}

// fail makes each Run from now on return err; nil: no more.
func (p *post) fail(err error) {
	if err == nil {
		p.down.Store(nil)
		return
	}
	p.down.Store(&err)
}

var errDown = errors.New("down")

// inPost runs f with a server for table, whose adapter "post" is p.
func inPost(t *testing.T, p *post, table string, f func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.registry = adapters.NewRegistry(p.adapter())
		w.boot(table)
		f(w)
		w.shutdown()
	})
}

// A sending is a request that brings events, and its answer.
type sending struct {
	w      *world
	done   chan struct{}
	status int // once done is closed; 0 if there is no answer
	header http.Header
	body   string
}

// bring sends body to path, at the listener for that.
func (w *world) bring(path, body string) *sending {
	w.t.Helper()
	return w.bringTo(w.client(w.public), http.MethodPost, "http://example.com"+path, strings.NewReader(body))
}

func (w *world) bringTo(client *http.Client, method, url string, body io.Reader) *sending {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), method, url, body)
	if err != nil {
		w.t.Fatal(err)
	}
	s := &sending{w: w, done: make(chan struct{})}
	go func() {
		defer close(s.done)
		resp, err := client.Do(req)
		if err != nil {
			s.body = err.Error()
			return
		}
		defer resp.Body.Close()
		text, _ := io.ReadAll(resp.Body)
		s.status, s.header, s.body = resp.StatusCode, resp.Header, string(text)
	}()
	synctest.Wait()
	return s
}

// answered reports whether there is an answer.
func (s *sending) answered() bool {
	synctest.Wait()
	select {
	case <-s.done:
		return true
	default:
		return false
	}
}

// wants checks that the answer is there, with this status.
func (s *sending) wants(status int) {
	s.w.t.Helper()
	if !s.answered() {
		s.w.t.Fatalf("got no answer, want status %d", status)
	}
	if s.status != status {
		s.w.t.Errorf("got status %d %q, want %d", s.status, s.body, status)
	}
}
