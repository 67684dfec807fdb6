package e2e

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"sidestream/e2e/chaos"
)

var (
	chaosDuration = flag.Duration("chaos.duration", time.Minute, "how long TestChaos, TestKafkaChaos and TestHistoryChaos let things fail")
	chaosSeed     = flag.Uint64("chaos.seed", 0, "what they draw by chance; 0: something else each time")
)

// What the run is made of.
const (
	chaosStream  = "CHAOS"
	chaosKeys    = 16
	chaosNodes   = 3
	chaosEvery   = 50 * time.Millisecond // a record of each key
	chaosReps    = 2                     // sidestream processes
	frontRoom    = 64 << 10              // bytes in the networks to clients
	settling     = 30 * time.Second      // that clients may be without any progress, once nothing fails any more
	consumerIdle = 2 * time.Minute       // that the server keeps a consumer that nobody asks for anything
	longRun      = 5 * time.Minute       // one in which it doesn't matter to wait for that
)

// R4, and "any replica, or the same one after a restart, resumes": a cluster
// of three NATS servers, two replicas of Sidestream, and the networks between
// them and their clients fail at random and often at once, by kill -9, by
// SIGTERM, by stopping dead and by lost connections. Clients come back to
// either replica, some of them slow, some with an old id. In the end each has
// every record that the stream holds and that is its own, once and in order,
// or was told how many it lack; see package chaos.
func TestChaos(t *testing.T) {
	seed, draw := drawing(t)
	cluster := startCluster(t, chaosNodes)
	conn, js := cluster.connect(t)
	createStream(t, js, chaosNodes)

	var replicas []*sidestream
	var fronts, links []*wire
	for range chaosReps {
		var urls []string
		for _, node := range cluster {
			link := newWire(t, node.address, 0)
			links, urls = append(links, link), append(urls, "nats://"+link.address)
		}
		s := serve(t, chaosTable(urls))
		replicas = append(replicas, s)
		fronts = append(fronts, newWire(t, strings.TrimPrefix(s.url, "http://"), frontRoom))
	}

	keys := make([]string, chaosKeys)
	for i := range keys {
		keys[i] = fmt.Sprintf("k%d", i)
	}
	calm := make(chan struct{})
	clients := chaosClients(keys, fronts, calm, draw)
	var leave []func()
	for _, c := range clients {
		leave = append(leave, c.start(t))
	}
	published, stop := produce(t, js, keys, chaosEvery)
	for _, c := range clients {
		wait(t, "an event for "+c.name, func() (any, bool) { return len(c.entries()), c.reached(0) > 0 })
	}

	n := &nemesis{random: draw(0)}
	servers := &clusterFaults{name: "NATS", most: 1, whole: func() bool { return replicated(t, js) }, random: draw(1)}
	for _, s := range cluster {
		servers.servers = append(servers.servers, s)
	}
	n.faults = append(n.faults, servers.faults()...)
	n.faults = append(n.faults, fault{name: "NATS other leader", possible: servers.well, begin: func(testing.TB) { stepDown(conn) }})
	n.faults = append(n.faults, wireFaults(draw(2), "network to NATS", 8*time.Second, links)...)
	n.faults = append(n.faults, wireFaults(draw(3), "network to clients", 3*time.Second, fronts)...)
	var processes []*process
	for _, s := range replicas {
		n.faults = append(n.faults, replicaFaults(s, func(p *process) { processes = append(processes, p) })...)
	}
	n.rage(t, *chaosDuration)

	// All is mended. What is published now is the last of each key.
	close(calm)
	stop()
	cluster.awaitLeader(t)
	published.round(t, keys)
	behind := func(c *chaosClient) bool { return c.reached(0) < published.newestAck(c.key) }
	settle(t, clients, behind)
	checkShared(t, cluster, func() uint64 {
		first := published.round(t, keys)
		settle(t, clients, behind)
		return first
	}, chaosReps*chaosSources())
	for _, stop := range leave {
		stop()
	}
	if *chaosDuration >= longRun {
		checkReleased(t, cluster)
	}

	acknowledged, attempts := published.acks()
	history, violations := chaos.NewHistory(readStream(t, js), acknowledged, nil)
	var sum chaos.Tally
	for _, c := range clients {
		// Only a client that takes gaps in place of a resume may have any,
		// since the stream keeps everything.
		log := chaos.Client{Name: c.name, Key: c.key, Log: c.entries(), Complete: c.path != skipPath}
		violations = append(violations, history.Check(log)...)
		sum.Add(log.Tally())
	}
	if report := chaos.Report(violations); report != "" {
		t.Errorf("seed %d: %s", seed, report)
		for _, s := range replicas {
			processes = append(processes, s.process)
		}
		keepLogs(t, "sidestream", processes)
	}
	t.Logf("%d records of %d keys acknowledged in %d attempts, %d stored; %d clients received %d events on %d connections, %d resumes, %d gaps; faults: %s",
		len(acknowledged), len(keys), attempts, history.Len(), len(clients), sum.Events, sum.Connections, sum.Resumes, sum.Gaps, n.summary())
}

// drawing returns how to draw by chance, a series of draws for each number.
func drawing(tb testing.TB) (seed uint64, draw func(series uint64) *rand.Rand) {
	tb.Helper()
	seed = *chaosSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	tb.Logf("to draw the same again: -chaos.seed=%d", seed)
	return seed, func(series uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, series)) }
}

// keepLogs has go test -artifacts keep what processes wrote.
func keepLogs(tb testing.TB, name string, processes []*process) {
	tb.Helper()
	for i, p := range processes {
		writeFile(tb, filepath.Join(tb.ArtifactDir(), fmt.Sprintf("%s-%d.log", name, i)), p.output.String())
	}
}

// The paths of the routes.
const (
	allPath     = "/all"
	skipPath    = "/skip"
	keyPath     = "/keys/"
	subjectPath = "/subjects/"
)

// What clients are like.
var (
	steady    = habits{}
	restless  = habits{stays: 3 * time.Second}
	slow      = habits{naps: time.Second}
	forgetful = habits{stays: 2 * time.Second, rewinds: 0.5}
)

// chaosTable has a route for each way to serve the stream: all of it to
// everybody, a key each to many clients of one source, and a source for each
// key.
func chaosTable(urls []string) string {
	return fmt.Sprintf(`
limits: {retry: 200ms}
drain: {window: 1s, timeout: 2s}
defaults:
  retry: 100ms
  linger: 1s
  backoff: {min: 50ms, max: 1s}
  write_timeout: 5s
  history: {events: 500}
  event: {timeout: 20s} # a process that stands still is no expression that has no end
  nats: {urls: [%s]}
routes:
  - {path: %s, nats: {stream: CHAOS}}
  - {path: %s, nats: {stream: CHAOS}, slow: skip, history: {events: 50}}
  - {path: "%s{key}", nats: {stream: CHAOS, subject: chaos.>}, key: '$subject | split(".")[1]', match: "{key}"}
  - {path: "%s{key}", nats: {stream: CHAOS, subject: "chaos.{key}"}}
`, strings.Join(urls, ", "), allPath, skipPath, keyPath, subjectPath)
}

func chaosSubject(key string) string { return "chaos." + key }

// chaosSources is how many sources a replica has at most while all clients
// are connected: one a route, and one for each key with a client of its own.
func chaosSources() int { return 3 + chaosKeys/2 }

// chaosClients returns clients of all routes, each with habits of its own.
func chaosClients(keys []string, fronts []*wire, calm chan struct{}, draw func(uint64) *rand.Rand) (clients []*chaosClient) {
	var replicas []string
	for _, w := range fronts {
		replicas = append(replicas, w.address)
	}
	add := func(path, key, name string, h habits) {
		if key != "" {
			path += key
		}
		clients = append(clients, &chaosClient{
			name: fmt.Sprintf("%s (%s, no. %d)", path, name, len(clients)), path: path, key: key,
			replicas: replicas, habits: h, calm: calm, read: readSequenced, random: draw(uint64(1000 + len(clients))),
		})
	}
	for range 2 {
		add(allPath, "", "steady", steady)
		add(allPath, "", "restless", restless)
		add(allPath, "", "slow", slow)
		add(allPath, "", "forgetful", forgetful)
		add(skipPath, "", "slow", slow)
		add(skipPath, "", "restless", restless)
	}
	for i, key := range keys {
		add(keyPath, key, "steady", steady)
		add(keyPath, key, "restless", restless)
		if i%2 == 0 {
			add(keyPath, key, "forgetful", forgetful)
			add(subjectPath, key, "restless", restless)
		} else {
			add(keyPath, key, "slow", slow)
		}
	}
	return clients
}

// stepDown asks the stream's leader to leave that to another server.
func stepDown(conn *nats.Conn) {
	_ = conn.Publish("$JS.API.STREAM.LEADER.STEPDOWN."+chaosStream, nil) // it may be cut off right now
}

// settle waits until no client is behind any more, or none of those who are has
// received anything for a while. The check of their logs says what they lack.
func settle(t *testing.T, clients []*chaosClient, isBehind func(*chaosClient) bool) {
	t.Helper()
	began := time.Now()
	progress, progressed := uint64(0), began
	behind := slices.Clone(clients)
	for last := ""; ; {
		sum := uint64(0)
		behind = slices.DeleteFunc(behind, func(c *chaosClient) bool {
			sum += c.sum()
			return !isBehind(c)
		})
		if sum != progress { // also when one is through
			progress, progressed = sum, time.Now()
		}
		if len(behind) == 0 {
			t.Logf("settled in %v; the last was %s", time.Since(began).Round(time.Millisecond), last)
			return
		}
		if time.Since(progressed) > settling {
			return
		}
		last = behind[0].name
		pause(t.Context(), nil, 20*time.Millisecond)
	}
}

// checkShared checks that what is published now goes to no more than so many
// consumers of the stream: one for each source, however many clients it has.
// Consumers of processes that were killed get nothing.
func checkShared(t *testing.T, cluster natsCluster, publish func() (first uint64), most int) {
	t.Helper()
	first := publish()
	all, err := cluster.consumers(chaosStream)
	if err != nil {
		t.Fatal(err)
	}
	all = slices.DeleteFunc(all, func(c consumerState) bool { return c.Delivered.StreamSeq < first })
	if len(all) > most || len(all) == 0 {
		t.Errorf("got %d consumers that deliver, want from 1 to %d: %v", len(all), most, all)
	}
}

// checkReleased checks that no consumer stays. The server gives up those of
// processes that were killed by itself, after a while.
func checkReleased(t *testing.T, cluster natsCluster) {
	t.Helper()
	waitFor(t, consumerIdle+settling, "no consumer without clients", func() (any, bool) {
		all, err := cluster.consumers(chaosStream)
		return fmt.Sprint(all, err), err == nil && len(all) == 0
	})
}
