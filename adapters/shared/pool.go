// Package shared lets an adapter's factories share what outlasts their sources,
// such as connections.
package shared

import (
	"slices"
	"sync"
)

// A Pool holds what factories share: one value for those that could do with
// the same. The zero value is empty and ready for use. It is safe for
// concurrent use, except that the functions it is given must not use it.
type Pool[T interface{ Close() }] struct {
	mu      sync.Mutex
	members []*member[T] // guarded by mu; a handful
}

type member[T any] struct {
	value T
	users int // guarded by the pool's mu
}

// Join returns the value of the pool that is fit, or else one that it has created.
// leave, which is to be called once, closes the value if nobody else has it,
// and returns when that is done.
func (p *Pool[T]) Join(fit func(T) bool, create func() T) (value T, leave func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	i := slices.IndexFunc(p.members, func(m *member[T]) bool { return fit(m.value) })
	if i < 0 {
		i = len(p.members)
		p.members = append(p.members, &member[T]{value: create()})
	}
	m := p.members[i]
	m.users++
	return m.value, func() { p.leave(m) }
}

func (p *Pool[T]) leave(m *member[T]) {
	p.mu.Lock()
	m.users--
	last := m.users == 0
	if last {
		p.members = slices.DeleteFunc(p.members, func(other *member[T]) bool { return other == m })
	}
	p.mu.Unlock()
	if last {
		m.value.Close()
	}
}
