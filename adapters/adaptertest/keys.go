package adaptertest

import "context"

// checkKeys: an event has the key that its number was published to.
func checkKeys(t *trial) {
	s := t.run(t.open(), "", nil)
	t.awaitLive(s)
	t.publish(1, few)
	t.expect(s, 1, few)
	for _, r := range events(t.stop(s)) {
		if want := t.key(r.number); r.number > 0 && r.Key != want {
			t.Errorf("event %d: got key %q, want %q", r.number, r.Key, want)
		}
	}
}

// key returns the key that number i is published to.
func (t *trial) key(i int) string {
	if !t.Keyed || t.Key == nil {
		return ""
	}
	return t.Key(i)
}

// publishing notes that number i is published.
func (t *trial) publishing(i int) {
	for {
		n := t.newest.Load()
		if int64(i) <= n || t.newest.CompareAndSwap(n, int64(i)) {
			return
		}
	}
}

// published returns the last number that was published.
func (t *trial) published() int { return int(t.newest.Load()) }

// delete deletes the key of number i.
func (t *trial) delete(i int) {
	t.Helper()
	t.deleting = true
	t.do("delete the key "+t.key(i), func(ctx context.Context) error { return t.Delete(ctx, i) })
	t.deleted[t.key(i)] = t.published()
}

// replaced reports whether the state that number i was is there no more,
// because its key has a newer one or was deleted.
func (t *trial) replaced(i int) bool {
	key := t.key(i)
	for n := i + 1; n <= t.published(); n++ {
		if t.key(n) == key {
			return true
		}
	}
	return i <= t.deleted[key]
}

// there returns the number of each key's state, of those that are there.
func (t *trial) there() map[string]int {
	states := make(map[string]int)
	for i := 1; i <= t.published(); i++ {
		if !t.replaced(i) {
			states[t.key(i)] = i
		}
	}
	return states
}
