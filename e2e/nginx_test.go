package e2e

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// nginx is the application behind sidestream: files, with entity tags. A file
// that has a neighbour of the same name plus ".gone" is answered with 410.
type nginx struct {
	*process
	url     string // http://host:port
	address string // host:port
	dir     string
	version atomic.Int64 // of documents
}

const nginxConfig = `
daemon off;
master_process off;
pid {{dir}}/nginx.pid;
error_log {{dir}}/error.log;
events { worker_connections 4096; }
http {
	log_format e2e escape=json '{"time":"$msec","method":"$request_method","uri":"$request_uri",'
		'"status":"$status","agent":"$http_user_agent","if_none_match":"$http_if_none_match",'
		'"accept":"$http_accept"}';
	access_log {{dir}}/access.log e2e;
	client_body_temp_path {{dir}}/tmp;
	proxy_temp_path {{dir}}/tmp;
	fastcgi_temp_path {{dir}}/tmp;
	uwsgi_temp_path {{dir}}/tmp;
	scgi_temp_path {{dir}}/tmp;
	types {
		application/json json;
		text/html html;
		text/plain txt;
	}
	default_type application/octet-stream;
	keepalive_timeout 60s;
	server {
		listen {{address}};
		root {{dir}}/www;
		etag on;
		if (-f $request_filename.gone) { return 410; }
		{{more}}
	}
}
`

func startNginx(tb testing.TB) *nginx {
	tb.Helper()
	return startNginxWith(tb, "")
}

// startNginxWith runs nginx with more directives for its server.
func startNginxWith(tb testing.TB, more string) *nginx {
	tb.Helper()
	n := &nginx{dir: tb.TempDir(), address: net.JoinHostPort("127.0.0.1", strconv.Itoa(freePort(tb)))}
	n.url = "http://" + n.address
	for _, dir := range []string{"www", "tmp"} {
		if err := os.Mkdir(filepath.Join(n.dir, dir), 0o755); err != nil {
			tb.Fatal(err)
		}
	}
	config := strings.NewReplacer("{{dir}}", n.dir, "{{address}}", n.address, "{{more}}", more).Replace(nginxConfig)
	writeFile(tb, filepath.Join(n.dir, "nginx.conf"), config)
	n.start(tb)
	return n
}

// start runs nginx, again if it was killed.
func (n *nginx) start(tb testing.TB) {
	tb.Helper()
	n.process = launch(tb, installed("nginx"), "-p", n.dir, "-e", filepath.Join(n.dir, "error.log"), "-c", filepath.Join(n.dir, "nginx.conf"))
	wait(tb, "nginx listening", func() (any, bool) {
		conn, err := net.Dial("tcp", n.address)
		if err != nil {
			return err, false
		}
		_ = conn.Close()
		return nil, true
	})
}

// put serves content at path from now on. Each version of a document has an
// entity tag of its own: nginx makes it of the size and of the time of the
// last change in whole seconds, so that is set to another second each time.
func (n *nginx) put(tb testing.TB, path, content string) {
	tb.Helper()
	name := filepath.Join(n.dir, "www", filepath.FromSlash(path))
	writeFile(tb, name+".new", content)
	modified := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(n.version.Add(1)) * time.Second)
	if err := os.Chtimes(name+".new", modified, modified); err != nil {
		tb.Fatal(err)
	}
	if err := os.Rename(name+".new", name); err != nil {
		tb.Fatal(err)
	}
}

// end makes nginx answer 410 at path.
func (n *nginx) end(tb testing.TB, path string) {
	tb.Helper()
	n.put(tb, path+".gone", "")
}

// An access is a line of nginx's access log.
type access struct {
	Time        time.Time
	Method      string
	URI         string
	Status      int
	Agent       string
	IfNoneMatch string
	Accept      string
}

// polls returns what sidestream's polls of path have asked for so far.
func (n *nginx) polls(tb testing.TB, path string) []access {
	tb.Helper()
	var polls []access
	for _, a := range n.accesses(tb) {
		if a.URI == path && strings.HasPrefix(a.Agent, "sidestream") {
			polls = append(polls, a)
		}
	}
	return polls
}

func (n *nginx) accesses(tb testing.TB) []access {
	tb.Helper()
	log, err := os.ReadFile(filepath.Join(n.dir, "access.log"))
	if err != nil {
		tb.Fatal(err)
	}
	var all []access
	for text := range strings.Lines(string(log)) {
		if !strings.HasSuffix(text, "\n") {
			break // nginx is writing it
		}
		var line struct {
			Time, Method, URI, Status, Agent, Accept string
			IfNoneMatch                              string `json:"if_none_match"`
		}
		if err := json.Unmarshal([]byte(text), &line); err != nil {
			tb.Fatalf("access log: %v in %q", err, text)
		}
		seconds, err := strconv.ParseFloat(line.Time, 64)
		if err != nil {
			tb.Fatalf("access log: %v in %q", err, text)
		}
		status, err := strconv.Atoi(line.Status)
		if err != nil {
			tb.Fatalf("access log: %v in %q", err, text)
		}
		all = append(all, access{
			Time:   time.UnixMilli(int64(seconds*1000 + 0.5)),
			Method: line.Method, URI: line.URI, Status: status, Agent: line.Agent,
			IfNoneMatch: line.IfNoneMatch, Accept: line.Accept,
		})
	}
	return all
}

// awaitPolls waits for n more polls of path than there were, and returns
// them.
func (n *nginx) awaitPolls(tb testing.TB, path string, more int) []access {
	tb.Helper()
	before := len(n.polls(tb, path))
	var polls []access
	wait(tb, fmt.Sprintf("%d more polls of %s", more, path), func() (any, bool) {
		polls = n.polls(tb, path)[before:]
		return len(polls), len(polls) >= more
	})
	return polls
}
