package e2e

import (
	"fmt"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"

	"sidestream/e2e/kube"
)

// lag is how long connections still get to a pod that is told to leave, since
// the news takes some time to reach all nodes.
const lag = time.Second

// A service takes connections as a rendered Service would: each goes to the
// target port of one of the ready pods, as the set says that the pod was
// rendered with.
type service struct {
	url   string
	name  string
	ln    net.Listener
	conns sync.WaitGroup

	mu   sync.Mutex // guards all that follows
	pods []endpoint
	next int
	open map[net.Conn]bool // nil: the service has ended
}

// An endpoint is a pod that a Service selects.
type endpoint struct {
	pod     *pod
	address string
}

// startService starts the Service of this name.
func startService(tb testing.TB, name string) *service {
	tb.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	s := &service{url: "http://" + ln.Addr().String(), name: name, ln: ln, open: map[net.Conn]bool{}}
	s.conns.Go(s.accept)
	tb.Cleanup(func() {
		_ = ln.Close()
		s.mu.Lock()
		for conn := range s.open {
			_ = conn.Close()
		}
		s.open = nil
		s.mu.Unlock()
		s.conns.Wait()
	})
	return s
}

// add makes the pod one that the first port of the Service leads to.
func (s *service) add(tb testing.TB, p *pod) {
	tb.Helper()
	o := p.set.Find("Service", s.name)
	if o == nil {
		tb.Fatalf("got no Service %s, want one", s.name)
	}
	var rendered corev1.Service
	if err := o.Into(&rendered); err != nil {
		tb.Fatal(err)
	}
	if selector := rendered.Spec.Selector; !labels.SelectorFromSet(selector).Matches(labels.Set(p.labels)) {
		tb.Fatalf("got a pod with labels %v, want them as the Service selects them: %v", p.labels, selector)
	}
	port := kube.ServicePort(p.spec, rendered.Spec.Ports[0].TargetPort)
	if port == 0 {
		tb.Fatalf("got no port %v in the pod, want the one that the Service leads to", rendered.Spec.Ports[0].TargetPort)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pods = append(s.pods, endpoint{p, fmt.Sprintf("127.0.0.1:%d", port)})
}

func (s *service) accept() {
	for {
		conn, err := s.ln.Accept()
		if err != nil {
			return // it is closed
		}
		s.conns.Go(func() {
			if !s.keep(conn) {
				return
			}
			defer s.drop(conn)
			s.forward(conn)
		})
	}
}

// keep notes an open connection, and closes it if the service has ended.
func (s *service) keep(conn net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open == nil {
		_ = conn.Close()
		return false
	}
	s.open[conn] = true
	return true
}

func (s *service) drop(conn net.Conn) {
	_ = conn.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, conn)
}

// forward connects a client with a pod, until one of them has had enough.
func (s *service) forward(client net.Conn) {
	address, ok := s.pick()
	if !ok {
		return
	}
	pod, err := net.Dial("tcp", address)
	if err != nil || !s.keep(pod) {
		return
	}
	var up sync.WaitGroup
	up.Go(func() {
		_, _ = io.Copy(pod, client) // ends with either of them
		_ = pod.Close()
	})
	_, _ = io.Copy(client, pod)
	_ = client.Close()
	s.drop(pod)
	up.Wait()
}

// pick returns the address of a pod, of which each gets its turn.
func (s *service) pick() (address string, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for range s.pods {
		s.next = (s.next + 1) % len(s.pods)
		if p := s.pods[s.next]; p.pod.reachable() {
			return p.address, true
		}
	}
	return "", false
}
