package shared_test

import (
	"testing"

	"go.uber.org/goleak"

	"sidestream/adapters/shared"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type conn struct {
	name   string
	closed int
}

func (c *conn) Close() { c.closed++ }

func TestPool(t *testing.T) {
	var p shared.Pool[*conn]
	made := 0
	join := func(name string) (*conn, func()) {
		return p.Join(func(c *conn) bool { return c.name == name }, func() *conn {
			made++
			return &conn{name: name}
		})
	}
	a, leaveA := join("a")
	again, leaveAgain := join("a")
	b, leaveB := join("b")
	if a != again || a == b || made != 2 {
		t.Fatalf("three users of two names: got %d values, same %v, others same %v; want 2, one shared by those of its name", made, a == again, a == b)
	}
	leaveA()
	if a.closed != 0 {
		t.Error("one of two users has left: got it closed, want it open")
	}
	leaveAgain()
	leaveB()
	if a.closed != 1 || b.closed != 1 {
		t.Errorf("all have left: got %d and %d calls of Close, want one each", a.closed, b.closed)
	}
	if c, leave := join("a"); c == a {
		t.Error("after the last has left: got what was closed, want a new one")
	} else {
		leave()
	}
}
