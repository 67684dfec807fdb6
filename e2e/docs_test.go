package e2e

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestDocuments does what the documents say: each page's blocks of commands are
// run one after the other, in one shell, and write what the page shows. The
// comment of docPage says how.
func TestDocuments(t *testing.T) {
	for _, p := range docPages(t) {
		if !strings.Contains(p.text, "<!-- run") {
			continue
		}
		t.Run(p.name, func(t *testing.T) {
			s := openSession(t)
			for _, step := range p.steps {
				s.do(t, p, &step)
			}
		})
	}
}

// A docSession is the shell that runs a page's commands.
type docSession struct {
	*process
	dir    string
	input  io.Writer
	ports  map[string]int // those that stand for the page's
	app    *nginx         // nil: there is none behind
	began  int            // where in the output the newest block begins
	blocks int
}

// openSession starts a shell in a folder of its own, in which the programs can
// be called that a reader is told to have.
func openSession(t *testing.T) *docSession {
	t.Helper()
	s := &docSession{
		process: &process{cmd: exec.Command("bash", "--norc", "--noprofile"), output: &transcript{}, exited: make(chan struct{})},
		dir:     t.TempDir(), ports: map[string]int{},
	}
	programs := readersPrograms(t)
	if err := os.Symlink(programs, filepath.Join(s.dir, "bin")); err != nil { // where make puts it
		t.Fatal(err)
	}
	s.cmd.Dir = s.dir
	s.cmd.Env = append(os.Environ(), "PATH="+programs+":"+os.Getenv("PATH"), "HOME="+s.dir, "XDG_CONFIG_HOME="+s.dir, "LC_ALL=C.UTF-8")
	s.cmd.Stdout, s.cmd.Stderr = s.output, s.output
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // so that what it has started can be ended along with it
	input, err := s.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	s.input = input
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(s.exited)
		_ = s.cmd.Wait() // until nobody writes any more
	}()
	t.Cleanup(func() {
		_ = syscall.Kill(-s.cmd.Process.Pid, syscall.SIGKILL)
		<-s.exited
		if t.Failed() {
			t.Logf("what was written:\n%s", s.output.tail(32<<10))
		}
	})
	s.say(t, `failed() { case $BASH_COMMAND in wait*) ;; *) echo "failed: $BASH_COMMAND" >&2;; esac; }; set -o pipefail -E; trap failed ERR`)
	return s
}

// readersPrograms returns a directory with the programs that a reader is told
// to have and that aren't installed everywhere.
func readersPrograms(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, file := range map[string]string{
		"sidestream":  os.Getenv(binaryVar),
		"nats-server": cachedProgram(t, "nats-server-"+natsServerVersion),
		"nats":        cachedProgram(t, "nats-"+natsCommandVersion),
	} {
		if err := os.Symlink(file, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	// This is what Kafka's script of the name comes to.
	topics := filepath.Join(dir, "kafka-topics.sh")
	jars := filepath.Join(cache, "sidestream", "kafka-"+kafkaVersion, "*")
	writeFile(t, topics, "#!/bin/sh\nexec java -Xmx128m -XX:+UseSerialGC -cp '"+jars+"' org.apache.kafka.tools.TopicCommand \"$@\"\n")
	if err := os.Chmod(topics, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// say hands a line to the shell.
func (s *docSession) say(t *testing.T, line string) {
	t.Helper()
	if _, err := io.WriteString(s.input, line+"\n"); err != nil {
		t.Fatalf("the shell has ended: %v", err)
	}
}

// do does what a comment says.
func (s *docSession) do(t *testing.T, p *docPage, step *docStep) {
	t.Helper()
	where := fmt.Sprintf("%s:%d", p.name, step.line)
	switch step.mark {
	case "ports":
		for _, number := range strings.Fields(step.argument) {
			s.ports[number] = freePort(t)
		}
		// Where it listens if nothing is said.
		s.say(t, s.substituted("export SIDESTREAM_LISTEN=127.0.0.1:8080 SIDESTREAM_ADMIN=127.0.0.1:9090"))
	case "behind":
		s.behind(t, where, step.argument)
	case "file":
		name, add := strings.CutPrefix(step.argument, "+")
		name = filepath.Join(s.dir, name)
		before := ""
		if add {
			data, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			before = string(data)
		}
		replaceFile(t, name, before+s.substituted(step.block.text))
	case "run":
		s.run(t, where, step)
	case "shows":
		s.shows(t, where, step.block.text)
	}
}

// portsWritten matches what may be a port, and what looks like one and isn't.
var portsWritten = regexp.MustCompile(`(?m)^ *retry: \d+|\b\d{4,5}\b`)

// substituted returns text with the ports that stand for the page's.
func (s *docSession) substituted(text string) string {
	return portsWritten.ReplaceAllStringFunc(text, func(number string) string {
		if port, ok := s.ports[number]; ok {
			return strconv.Itoa(port)
		}
		return number
	})
}

// behind starts what is to be there, or puts a document there.
func (s *docSession) behind(t *testing.T, where, what string) {
	t.Helper()
	if path, content, ok := strings.Cut(what, " is "); ok && s.app != nil {
		s.app.put(t, path, content)
		return
	}
	program, number, _ := strings.Cut(what, " on ")
	var address string
	switch program {
	case "nginx":
		s.app = startLegacyAPI(t)
		address = s.app.address
	case "kafka":
		address = startKafka(t, kafkaOptions{}).brokers[0] // not the shared one, whose topics have names of their own
	default:
		t.Fatalf("%s: got %q, want nginx or kafka, on a port", where, what)
	}
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	if s.ports[number], err = strconv.Atoi(port); err != nil {
		t.Fatal(err)
	}
}

// startLegacyAPI runs nginx as an application whose documents are JSON, whatever
// they are called.
func startLegacyAPI(t *testing.T) *nginx {
	t.Helper()
	n := startNginx(t)
	name := filepath.Join(n.dir, "nginx.conf")
	config, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	const otherwise = "default_type application/octet-stream;"
	if !strings.Contains(string(config), otherwise) {
		t.Fatalf("got no %q in nginx's configuration, want it there to be replaced", otherwise)
	}
	n.kill()
	writeFile(t, name, strings.Replace(string(config), otherwise, "default_type application/json;", 1))
	n.start(t)
	return n
}

// run runs a block of commands, and waits for what its comment and the block
// itself say.
func (s *docSession) run(t *testing.T, where string, step *docStep) {
	t.Helper()
	commands, shown := step.block.text, ""
	if step.block.language == "console" {
		commands, shown = transcribed(step.block.text)
	}
	script := filepath.Join(s.dir, fmt.Sprintf(".line-%d", step.block.line))
	writeFile(t, script, s.substituted(commands))
	s.began = len(s.output.String())
	if strings.Contains(step.argument, "in another terminal") {
		s.say(t, "{ . "+script+"; } </dev/null &")
	} else {
		s.finish(t, where, script)
	}
	for part := range strings.SplitSeq(step.argument, ", ") {
		var n int
		if _, err := fmt.Sscanf(part, "ready %d", &n); err == nil {
			s.awaitListening(t, where, strconv.Itoa(n))
		} else if _, err := fmt.Sscanf(part, "clients %d", &n); err == nil {
			s.awaitClients(t, where, n)
		}
	}
	again := strings.HasPrefix(step.argument, "again")
	for deadline := time.Now().Add(patience); again && time.Now().Before(deadline); {
		if _, ok := s.hasShown(shown); ok {
			break
		}
		time.Sleep(100 * time.Millisecond)
		s.began = len(s.output.String())
		s.finish(t, where, script)
	}
	s.shows(t, where, shown)
}

// finish has the shell run a script to its end.
func (s *docSession) finish(t *testing.T, where, script string) {
	t.Helper()
	s.blocks++
	done := fmt.Sprintf("end of block %d", s.blocks)
	s.say(t, ". "+script+" </dev/null; printf '\\n%s\\n' '"+done+"'")
	waitFor(t, 4*patience, where+": "+done, func() (any, bool) {
		if !s.running() {
			t.Fatalf("%s: got an end of the shell, want it to go on", where)
		}
		return "none", strings.Contains(s.output.String(), done+"\n")
	})
	if out := s.output.String()[s.began:]; strings.Contains(out, "failed: ") {
		t.Fatalf("%s: got a command that failed, want none:\n%s", where, out)
	}
}

// transcribed takes a block apart that shows commands, behind "$ ", and what
// they write.
func transcribed(text string) (commands, shown string) {
	var typed, written strings.Builder
	for line := range strings.Lines(text) {
		if command, ok := strings.CutPrefix(line, "$ "); ok {
			typed.WriteString(command)
		} else {
			written.WriteString(line)
		}
	}
	return typed.String(), written.String()
}

// awaitListening waits until somebody listens on what stands for a port.
func (s *docSession) awaitListening(t *testing.T, where, number string) {
	t.Helper()
	wait(t, where+": a server on port "+number, func() (any, bool) {
		conn, err := net.Dial("tcp", s.substituted("127.0.0.1:"+number))
		if err != nil {
			return err, false
		}
		_ = conn.Close()
		return nil, true
	})
}

var clientsMetric = regexp.MustCompile(`(?m)^sidestream_clients\{.*\} (\d+)$`)

// awaitClients waits until so many clients are connected.
func (s *docSession) awaitClients(t *testing.T, where string, n int) {
	t.Helper()
	wait(t, fmt.Sprintf("%s: %d clients", where, n), func() (any, bool) {
		_, body, err := fetch(s.substituted("http://127.0.0.1:9090/metrics"))
		if err != nil {
			return err, false
		}
		have := 0
		for _, m := range clientsMetric.FindAllStringSubmatch(body, -1) {
			count, _ := strconv.Atoi(m[1])
			have += count
		}
		return have, have == n
	})
}

// What is different each time: … stands for anything, and the hash in an id of a
// history, the start of one of a feed, and a time stand for others of the kind.
var anyOf = []struct {
	written *regexp.Regexp
	read    string
}{
	{regexp.MustCompile(`…`), `.*`},
	{regexp.MustCompile(`\b(\d+)-[\w-]{8}\b`), `$1-[\w-]{8}`},
	{regexp.MustCompile(`\b[a-z0-9]{8}-(\d+)\b`), `[a-z0-9]{8}-$1`},
	{regexp.MustCompile(`\d{4}-\d\d-\d\dT[\d:\\.]+Z`), `\d{4}-\d\d-\d\dT[\d:.]+Z`},
}

// shows waits until lines have been written, in their order, since the newest
// block began.
func (s *docSession) shows(t *testing.T, where, text string) {
	t.Helper()
	wait(t, where+": all that it shows", func() (any, bool) {
		missing, ok := s.hasShown(text)
		return missing, ok
	})
}

// hasShown reports whether all lines of text have been written, or which one
// hasn't.
func (s *docSession) hasShown(text string) (missing string, ok bool) {
	var lines []*regexp.Regexp
	for line := range strings.Lines(s.substituted(text)) {
		if line = strings.TrimSpace(line); line == "" || line == "…" {
			continue
		}
		pattern := regexp.QuoteMeta(line)
		for _, a := range anyOf {
			pattern = a.written.ReplaceAllString(pattern, a.read)
		}
		lines = append(lines, regexp.MustCompile("^ *"+pattern+"[ \r\n]*$"))
	}
	for line := range strings.Lines(s.output.String()[s.began:]) {
		if len(lines) > 0 && lines[0].MatchString(line) {
			lines = lines[1:]
		}
	}
	if len(lines) == 0 {
		return "", true
	}
	return "no line like " + lines[0].String(), false
}
