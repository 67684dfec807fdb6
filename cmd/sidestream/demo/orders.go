package demo

import (
	"fmt"
	"math/rand/v2"
	"slices"
)

// The number of orders stays between these.
const (
	minOrders = 6
	maxOrders = 10
)

// order is a row of the list.
type order struct {
	ID          string `json:"id"`
	Item        string `json:"item"`
	Destination string `json:"destination"`
	Status      string `json:"status"`
	Cents       int    `json:"cents"` // the amount, in hundredths of a dollar
}

// book is the list of orders, oldest first.
type book struct {
	orders []order
	last   int // number of the newest order
}

func newBook() book {
	b := book{last: 1040}
	for len(b.orders) < (minOrders+maxOrders)/2 {
		b.add()
		b.orders[len(b.orders)-1].Status = statuses()[rand.IntN(3)]
	}
	return b
}

// list returns a copy, newest first.
func (b *book) list() []order {
	list := slices.Clone(b.orders)
	slices.Reverse(list)
	return list
}

// change makes one random change: an order comes in, goes on, changes in
// amount, or, once it is delivered, disappears.
func (b *book) change() {
	dice := rand.IntN(10)
	if len(b.orders) <= minOrders || dice < 2 && len(b.orders) < maxOrders {
		b.add()
		return
	}
	i := rand.IntN(len(b.orders))
	o := &b.orders[i]
	next := slices.Index(statuses(), o.Status) + 1
	switch {
	case dice < 5:
		o.Cents = max(500, o.Cents+500*(1+rand.IntN(8))-2000)
	case next < len(statuses()):
		o.Status = statuses()[next]
	default:
		b.orders = slices.Delete(b.orders, i, i+1)
	}
}

func (b *book) add() {
	b.last++
	b.orders = append(b.orders, order{
		ID:          fmt.Sprintf("A-%d", b.last),
		Item:        pick("Desk lamp", "Bookshelf", "Office chair", "Tea kettle", "Wall clock", "Floor rug", "Plant pot", "Coat rack"),
		Destination: pick("Lisbon", "Oslo", "Nairobi", "Kyoto", "Lima", "Montréal", "Zürich", "Auckland"),
		Status:      statuses()[0],
		Cents:       1900 + 500*rand.IntN(60),
	})
}

// statuses are those that an order passes through.
func statuses() []string { return []string{"received", "packed", "shipped", "delivered"} }

func pick(list ...string) string { return list[rand.IntN(len(list))] }
