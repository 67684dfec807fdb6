package e2e

import (
	"os/exec"
	"testing"
)

// X5, R4, R5, R7: what curl prints is the stream, byte for byte. With the id
// of an event it goes on after that, and with that of the end there is nothing.
func TestCurlResumes(t *testing.T) {
	t.Parallel()
	s := serve(t, `
routes:
  - path: /lines
    retry: 5s
    linger: 10m
    history: {replay: all}
    generate:
      every: 50ms
      count: 3
      choose: cycle
      events:
        - {data: '{"id": 1, "text": "first message"}'}
        - {data: '{"id": 2, "type": "note", "text": ""}'}
        - {data: '{"id": 3, "text": "third message,\nof two lines"}'}
    event: {id: .id, type: .type, data: .text}
`)
	const (
		first  = "id: 1\ndata: first message\n\n"
		second = "id: 2\nevent: note\ndata:\n\n"
		third  = "id: 3\ndata: third message,\ndata: of two lines\n\n"
		end    = "id: -1\nevent: stream.end\ndata: {}\n\n"
	)
	for _, c := range []struct{ id, want string }{
		{"", "retry: 5000\n" + first + second + third + end + "200"},
		{"1", "retry: 5000\n" + second + third + end + "200"},
		{"3", "retry: 5000\n" + end + "200"},
		{"-1", "204"},
	} {
		args := []string{"-sN", "-m", "60", "-w", "%{http_code}", s.url + "/lines"}
		if c.id != "" {
			args = append(args, "-H", "Last-Event-ID: "+c.id)
		}
		got, err := exec.Command("curl", args...).Output()
		if err != nil || string(got) != c.want {
			t.Errorf("after %q: got %q (%v), want %q", c.id, got, err, c.want)
		}
	}
}
