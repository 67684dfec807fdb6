package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"sidestream/e2e/chaos"
	"sidestream/e2e/historychaos"
)

const (
	coreEvents  = "/events/core"
	docEvery    = 200 * time.Millisecond
	historyReps = 3 // sidestream processes with a cluster
)

// Webhooks, core messages and a document that is polled, all with a durable
// history, while what keeps it, who serves it, where it comes from and the
// networks between them fail at random and often at once. No webhook that was
// accepted is lost or out of order; no core message is lost without a gap; one
// replica at a time polls the document, which all clients have in the end. See
// package historychaos.
func TestHistoryChaos(t *testing.T) {
	t.Run("cluster", func(t *testing.T) {
		_, draw := drawing(t)
		cluster := startCluster(t, chaosNodes)
		conn, js := cluster.connect(t)
		var links []*wire
		w := newHistoryWorld(t, draw, historyReps, func(int) string {
			var urls []string
			for _, node := range cluster {
				link := newWire(t, node.address, 0)
				links, urls = append(links, link), append(urls, "nats://"+link.address)
			}
			return fmt.Sprintf("urls: [%s], timeout: 2s, ping_interval: 1s, lease: %v", strings.Join(urls, ", "), docLease)
		})
		servers := &clusterFaults{name: "NATS", most: 1, whole: func() bool { return allReplicated(t, js) }, random: draw(1)}
		for _, s := range cluster {
			servers.servers = append(servers.servers, s)
		}
		w.add(servers.faults()...)
		w.add(fault{name: "NATS other leaders", possible: servers.well, begin: func(testing.TB) { allStepDown(t, conn, js) }})
		w.add(wireFaults(draw(2), "network to NATS", 5*time.Second, links)...)
		w.run(t, *chaosDuration*2/3, func() { cluster.awaitLeader(t) })
	})
	t.Run("embedded", func(t *testing.T) {
		_, draw := drawing(t)
		dir := t.TempDir()
		w := newHistoryWorld(t, draw, 1, func(int) string { return fmt.Sprintf("embedded: {dir: %q}, lease: %v", dir, docLease) })
		w.run(t, *chaosDuration/3, func() {})
	})
}

// A historyWorld is all that there is in a run.
type historyWorld struct {
	draw     func(series uint64) *rand.Rand
	app      *historyApp
	replicas []*historyReplica
	fronts   []*wire
	load     *historyLoad
	nemesis  *nemesis
}

// newHistoryWorld starts everything. store returns, for each replica, what
// stands under "nats" of its table's history.
func newHistoryWorld(t *testing.T, draw func(uint64) *rand.Rand, replicas int, store func(replica int) string) *historyWorld {
	t.Helper()
	core := startNATS(t)
	w := &historyWorld{draw: draw, app: startHistoryApp(t, draw(10)), nemesis: &nemesis{random: draw(0)}}
	var toCore, toApp []*wire
	var urls []string
	for i := range replicas {
		coreLink, appLink := newWire(t, core.address, 0), newWire(t, w.app.address, 0)
		toCore, toApp = append(toCore, coreLink), append(toApp, appLink)
		kept := store(i)
		r := startReplica(t, i+1, func(name string) string {
			return historyChaosTable(kept, "nats://"+coreLink.address, "http://"+appLink.address, name)
		})
		front := newWire(t, strings.TrimPrefix(r.url, "http://"), frontRoom)
		w.replicas, w.fronts = append(w.replicas, r), append(w.fronts, front)
		urls = append(urls, "http://"+front.address)
		w.add(r.faults(t)...)
	}
	w.add(serverFaults("core NATS", core)...)
	w.add(wireFaults(draw(3), "network to core NATS", 5*time.Second, toCore)...)
	w.add(w.app.faults(toApp, draw(4))...)
	w.add(wireFaults(draw(5), "network to clients", 3*time.Second, w.fronts)...)
	w.load = &historyLoad{
		tb: t, sender: newHookSender(t, historyKeys), replicas: urls, core: connectCore(t, core.url), app: w.app,
		random: draw(6), next: map[string]int{}, statuses: map[int]int{},
	}
	return w
}

func (w *historyWorld) add(faults ...fault) { w.nemesis.faults = append(w.nemesis.faults, faults...) }

// historyChaosTable is the table of a replica that polls under a name.
func historyChaosTable(store, core, app, name string) string {
	const keeps = "history: {durable: true, events: 1000000, bytes: 256MiB}, live_marker: true"
	return fmt.Sprintf(`
limits: {retry: 200ms}
drain: {window: 500ms, timeout: 2s}
defaults: {retry: 100ms, linger: 1s, backoff: {min: 50ms, max: 1s}, write_timeout: 5s}
history: {nats: {%s}}
routes:
  - {path: %s, webhook: {ingest: %s, verify: {github: %q}, accept_timeout: 4s}, %s}
  - {path: %s, nats: {subject: %q, urls: [%s], ping_interval: 1s}, %s}
%s`, store, hookEvents, hookPath, hookSecret, keeps, coreEvents, coreSubject(">"), core, keeps, docRoute(app, name, docEvery))
}

// run lets things fail for so long, has mend make good for what is not, and
// checks what everybody got.
func (w *historyWorld) run(t *testing.T, duration time.Duration, mend func()) {
	t.Helper()
	var replicas []string
	for _, f := range w.fronts {
		replicas = append(replicas, f.address)
	}
	calm := make(chan struct{})
	clients := historyClients(replicas, calm, w.draw)
	var leave []func()
	bare := make([]*chaosClient, len(clients))
	known := map[*chaosClient]*historyClient{}
	for i, c := range clients {
		bare[i], known[c.chaosClient] = c.chaosClient, c
		leave = append(leave, c.start(t))
	}
	for _, c := range clients {
		wait(t, "a first id for "+c.name, func() (any, bool) { return c.entries(), c.placed() })
	}
	stop := w.load.start()
	w.nemesis.rage(t, duration)

	// All is mended. What comes now is the last.
	stop()
	close(calm)
	mend()
	behind := func(c *chaosClient) bool { return known[c].behind(w.load) }
	w.lastRound(t, bare, behind)
	settle(t, bare, behind)
	for _, stop := range leave {
		stop()
	}
	w.comeBack(t, clients, behind)
	w.check(t, clients)
}

// lastRound sends one more of everything until it arrives: right after a fault
// a core message may still be lost, with a gap.
func (w *historyWorld) lastRound(t *testing.T, clients []*chaosClient, behind func(*chaosClient) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*settling)
	defer cancel()
	for ctx.Err() == nil {
		w.load.round(ctx)
		pause(ctx, nil, time.Second)
		if slices.ContainsFunc(clients, func(c *chaosClient) bool { return !behind(c) && c.path == coreEvents }) {
			return
		}
	}
	t.Errorf("got no core message through %v after all was mended", 2*settling)
}

// comeBack has some clients of webhooks come back once more, with any id that
// they have had: the history has it all.
func (w *historyWorld) comeBack(t *testing.T, clients []*historyClient, behind func(*chaosClient) bool) {
	t.Helper()
	const some = 10
	random := w.draw(7)
	var again []*chaosClient
	var leave []func()
	for _, i := range random.Perm(len(clients)) {
		if c := clients[i]; c.path == hookEvents && len(again) < some {
			c.mu.Lock()
			clear(c.newest)
			c.mu.Unlock()
			c.rewind(random)
			again, leave = append(again, c.chaosClient), append(leave, c.start(t))
		}
	}
	settle(t, again, behind)
	for _, stop := range leave {
		stop()
	}
}

// check checks what everybody got.
func (w *historyWorld) check(t *testing.T, clients []*historyClient) {
	t.Helper()
	logs := map[string][]chaos.Client{}
	var sum chaos.Tally
	for _, c := range clients {
		log := c.logOf()
		logs[c.path] = append(logs[c.path], log)
		sum.Add(log.Tally())
	}
	var violations []chaos.Violation
	stored := map[string]int{}
	for _, path := range []string{hookEvents, coreEvents} {
		records, found := historychaos.Union(logs[path])
		violations = append(violations, found...)
		var acknowledged []chaos.Record
		if path == hookEvents {
			acknowledged = historychaos.Accepted(w.load.accepted, records)
		}
		history, found := chaos.NewHistory(records, acknowledged, nil)
		violations = append(violations, found...)
		stored[path] = history.Len()
		for _, c := range logs[path] {
			violations = append(violations, history.Check(c)...)
			if path == coreEvents {
				violations = append(violations, historychaos.Announced(c, w.load.published)...)
			}
		}
	}
	violations = append(violations, historychaos.Versions(logs[docEvents], int(w.app.version.Load()))...)
	pauses := slices.Clone(w.app.stalls)
	for _, r := range w.replicas {
		pauses = append(pauses, r.pauses...)
	}
	terms, polls := tenures(w.replicas), w.app.asked()
	violations = append(violations, historychaos.Polls(polls, terms, pauses, docLease)...)
	if report := chaos.Report(violations); report != "" {
		t.Errorf("%s", report)
		for _, r := range w.replicas {
			keepLogs(t, fmt.Sprintf("sidestream-%d", r.number), r.processes)
		}
	}
	for status := range w.load.statuses {
		if !slices.Contains([]int{204, 429, 503}, status) {
			t.Errorf("got status %d for a webhook, want 204, 429 or 503: %v", status, w.load.statuses)
		}
	}
	if len(w.load.accepted) == 0 || len(w.load.published) == 0 || len(terms) == 0 || sum.Resumes == 0 {
		t.Errorf("got %d webhooks, %d core messages, %d tenures and %d resumes, want some", len(w.load.accepted), len(w.load.published), len(terms), sum.Resumes)
	}
	t.Logf("%d webhooks accepted in %d attempts (%v), %d stored; %d core messages published, %d stored; %d versions, %d polls in %d tenures; "+
		"%d clients received %d events on %d connections, %d resumes, %d gaps; faults: %s",
		len(w.load.accepted), w.load.attempts, w.load.statuses, stored[hookEvents], len(w.load.published), stored[coreEvents],
		w.app.version.Load(), len(polls), len(terms), len(clients), sum.Events, sum.Connections, sum.Resumes, sum.Gaps, w.nemesis.summary())
}

// streamNames returns the names of all streams, or nil if they can't be had.
func streamNames(ctx context.Context, js jetstream.JetStream) (names []string) {
	ctx, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	all := js.StreamNames(ctx)
	for name := range all.Name() {
		names = append(names, name)
	}
	if all.Err() != nil {
		return nil
	}
	return names
}

// allReplicated reports whether every replica of every stream has all of it.
func allReplicated(tb testing.TB, js jetstream.JetStream) bool {
	tb.Helper()
	names := streamNames(tb.Context(), js)
	for _, name := range names {
		if !replicatedStream(tb, js, name) {
			return false
		}
	}
	return len(names) > 0
}

// allStepDown asks the leaders of all streams to leave that to others.
func allStepDown(tb testing.TB, conn *nats.Conn, js jetstream.JetStream) {
	tb.Helper()
	for _, name := range streamNames(tb.Context(), js) {
		_ = conn.Publish("$JS.API.STREAM.LEADER.STEPDOWN."+name, nil) // it may be cut off right now
	}
}

// replicatedStream reports whether every replica of a stream has all of it.
func replicatedStream(tb testing.TB, js jetstream.JetStream, name string) bool {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), attemptTimeout)
	defer cancel()
	s, err := js.Stream(ctx, name)
	if err != nil {
		return false
	}
	cluster := s.CachedInfo().Cluster
	return cluster.Leader != "" && !slices.ContainsFunc(cluster.Replicas, func(p *jetstream.PeerInfo) bool { return p.Offline || !p.Current })
}
