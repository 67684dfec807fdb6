package registry

import "container/list"

// An lru holds up to a number of values by key. When it is full, the one goes
// that wasn't asked for for the longest time. It is not safe for concurrent
// use.
type lru[K comparable, V any] struct {
	max    int
	byKey  map[K]*list.Element
	recent *list.List // of *lruEntry, the latest first
}

type lruEntry[K comparable, V any] struct {
	key   K
	value V
}

func newLRU[K comparable, V any](size int) *lru[K, V] {
	return &lru[K, V]{max: size, byKey: map[K]*list.Element{}, recent: list.New()}
}

func (l *lru[K, V]) get(key K) (V, bool) {
	e, ok := l.byKey[key]
	if !ok {
		var none V
		return none, false
	}
	l.recent.MoveToFront(e)
	return l.entry(e).value, true
}

func (l *lru[K, V]) put(key K, value V) {
	if e, ok := l.byKey[key]; ok {
		l.entry(e).value = value
		l.recent.MoveToFront(e)
		return
	}
	if len(l.byKey) >= l.max {
		last := l.recent.Back()
		delete(l.byKey, l.entry(last).key)
		l.recent.Remove(last)
	}
	l.byKey[key] = l.recent.PushFront(&lruEntry[K, V]{key, value})
}

func (l *lru[K, V]) remove(key K) {
	if e, ok := l.byKey[key]; ok {
		delete(l.byKey, key)
		l.recent.Remove(e)
	}
}

func (*lru[K, V]) entry(e *list.Element) *lruEntry[K, V] { return e.Value.(*lruEntry[K, V]) }
