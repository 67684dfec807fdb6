package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// natsServerVersion is the version of the NATS server that setup.sh builds.
const natsServerVersion = "v2.15.2"

// A natsServer is a nats-server process with JetStream and file storage.
type natsServer struct {
	*process
	name    string
	url     string // nats://host:port
	address string // host:port
	monitor string // http://host:port
	config  string // file
}

// startNATS starts a server that is a cluster of its own, with further lines
// of configuration, and returns when JetStream is ready.
func startNATS(tb testing.TB, more ...string) *natsServer {
	tb.Helper()
	n := newNATS(tb, "single", more...)
	n.start(tb)
	n.awaitHealthy(tb)
	return n
}

// newNATS writes a server's configuration and doesn't start it.
func newNATS(tb testing.TB, name string, more ...string) *natsServer {
	tb.Helper()
	dir := tb.TempDir()
	address, monitor := fmt.Sprintf("127.0.0.1:%d", freePort(tb)), fmt.Sprintf("127.0.0.1:%d", freePort(tb))
	n := &natsServer{
		name: name, address: address, url: "nats://" + address, monitor: "http://" + monitor,
		config: filepath.Join(dir, "nats.conf"),
	}
	writeFile(tb, n.config, fmt.Sprintf(`
server_name: %s
listen: %q
http: %q
jetstream {store_dir: %q, max_memory_store: 256MB, max_file_store: 8GB}
%s
`, name, address, monitor, filepath.Join(dir, "store"), strings.Join(more, "\n")))
	return n
}

// start runs the server, again if it has run before, on the same addresses
// and with what it has stored. It doesn't wait until the server is ready.
func (n *natsServer) start(tb testing.TB) {
	tb.Helper()
	n.process = launch(tb, cachedProgram(tb, "nats-server-"+natsServerVersion), "--config", n.config)
}

// restart kills the server as a crash would, starts it again, and waits until
// it is ready.
func (n *natsServer) restart(tb testing.TB) {
	tb.Helper()
	n.kill()
	n.start(tb)
	n.awaitHealthy(tb)
}

// awaitHealthy waits until the server, and every stream and consumer on it,
// is up to date.
func (n *natsServer) awaitHealthy(tb testing.TB) {
	tb.Helper()
	waitFor(tb, 2*patience, n.name+" healthy", func() (any, bool) {
		if !n.running() {
			tb.Fatalf("%s: got an end with code %d, want it running", n.name, n.cmd.ProcessState.ExitCode())
		}
		code, body, err := fetch(n.monitor + "/healthz")
		return fmt.Sprint(code, body, err), code == http.StatusOK
	})
}

// ask gets a document of the server's monitoring, such as "/connz".
func (n *natsServer) ask(path string, into any) error {
	code, body, err := fetch(n.monitor + path)
	if err == nil && code != http.StatusOK {
		err = fmt.Errorf("status %d", code)
	}
	if err == nil {
		err = json.Unmarshal([]byte(body), into)
	}
	if err != nil {
		return fmt.Errorf("ask %s for %s: %w", n.name, path, err)
	}
	return nil
}

// jszState is the part of /jsz that tests look at.
type jszState struct {
	Meta struct {
		Leader string
		Size   int `json:"cluster_size"`
	} `json:"meta_cluster"`
	AccountDetails []struct {
		StreamDetail []struct {
			Name    string
			Cluster struct{ Leader string }
			State   struct {
				Messages uint64
				LastSeq  uint64 `json:"last_seq"`
			}
			ConsumerDetail []consumerState `json:"consumer_detail"`
		} `json:"stream_detail"`
	} `json:"account_details"`
}

// consumerState is what the server says of a consumer.
type consumerState struct {
	Name      string
	Delivered struct {
		StreamSeq uint64 `json:"stream_seq"` // of the newest message delivered
	}
}

// jsz returns what the server knows of its streams and consumers.
func (n *natsServer) jsz() (jszState, error) {
	var s jszState
	return s, n.ask("/jsz?streams=true&consumers=true", &s)
}

// consumers returns those of a stream's consumers that are on this server.
func (n *natsServer) consumers(stream string) (found []consumerState, err error) {
	s, err := n.jsz()
	for _, account := range s.AccountDetails {
		for _, detail := range account.StreamDetail {
			if detail.Name == stream {
				found = append(found, detail.ConsumerDetail...)
			}
		}
	}
	return found, err
}

// connections returns the names that the server's clients go by.
func (n *natsServer) connections() (names []string, err error) {
	var s struct {
		Connections []struct{ Name string }
	}
	err = n.ask("/connz?limit=10000", &s)
	for _, c := range s.Connections {
		names = append(names, c.Name)
	}
	return names, err
}

// natsReconnectWait is how long a connection of a test waits between two
// attempts to reconnect.
const natsReconnectWait = 50 * time.Millisecond

// connectNATS connects to one of the servers, and to another, or again,
// whenever the connection is lost. The connection is closed with the test.
func connectNATS(tb testing.TB, urls ...string) (*nats.Conn, jetstream.JetStream) {
	tb.Helper()
	conn, err := nats.Connect(strings.Join(urls, ","),
		nats.Name("test"), nats.MaxReconnects(-1), nats.ReconnectWait(natsReconnectWait),
		nats.ReconnectJitter(natsReconnectWait, natsReconnectWait),
		nats.PingInterval(2*time.Second), nats.MaxPingsOutstanding(2))
	if err != nil {
		tb.Fatalf("connect to %s: %v", urls, err)
	}
	tb.Cleanup(conn.Close)
	js, err := jetstream.New(conn)
	if err != nil {
		tb.Fatal(err)
	}
	return conn, js
}

// cachedProgram returns the path of a program that setup.sh has built.
func cachedProgram(tb testing.TB, name string) string {
	tb.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		tb.Fatal(err)
	}
	path := filepath.Join(cache, "sidestream", "bin", name)
	if _, err := os.Stat(path); err != nil {
		tb.Fatalf("%v (setup.sh installs what the tests need)", err)
	}
	return path
}
