// Package demo is the application behind "sidestream demo": a list of orders
// in an HTTP API that was made to be polled, a page that shows what becomes of
// it with Sidestream in front, and the routing table in between.
//
// The application knows nothing of streams. It answers
//
//	GET  /                        the page
//	GET  /assets/{file}           what the page is made of
//	GET  /api/orders              the orders, with an ETag
//	GET  /api/stats               {"polls": n, "viewers": n}
//	POST /api/outage              makes /api/orders answer 503 for a while
//	POST /api/viewers/{id}        counts a page that is open
//	POST /api/viewers/{id}/left   counts it no more
//
// and whoever asks for text/event-stream is served by Sidestream before a
// request comes here. The page loads nothing from elsewhere, and what it
// receives is shown as text, never interpreted.
package demo

import (
	"bytes"
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"
)

//go:embed page
var page embed.FS

const (
	// Something changes about as often as the API is polled, so that some
	// polls find nothing new.
	minPause = 700 * time.Millisecond
	maxPause = 1700 * time.Millisecond

	outage = 8 * time.Second

	// contentPolicy makes the browser refuse whatever isn't part of the page,
	// should anything that it shows ever be taken for markup.
	contentPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
		"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

// App is the application. Make one with [New]. It is safe for concurrent use.
type App struct {
	mux   *http.ServeMux
	epoch time.Time // tells versions apart that two runs of the program number alike

	mu      sync.Mutex // guards what follows
	book    book
	viewers audience
	polls   int       // requests for the orders
	version int       // of what the orders' ETag stands for
	outage  time.Time // until when the API is down
}

// New returns the application with its first orders.
func New() *App {
	a := &App{mux: http.NewServeMux(), epoch: time.Now(), book: newBook(), viewers: audience{}}
	a.mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		http.ServeFileFS(w, r, page, "page/index.html")
	})
	a.mux.HandleFunc("GET /assets/{file}", func(w http.ResponseWriter, r *http.Request) {
		http.ServeFileFS(w, r, page, "page/assets/"+r.PathValue("file"))
	})
	a.mux.HandleFunc("GET /api/orders", a.serveOrders)
	a.mux.HandleFunc("GET /api/stats", a.serveStats)
	a.mux.HandleFunc("POST /api/outage", a.breakDown)
	a.mux.HandleFunc("POST /api/viewers/{id}", a.enter)
	a.mux.HandleFunc("POST /api/viewers/{id}/left", a.leave)
	return a
}

// ServeHTTP answers a request to the application.
func (a *App) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", contentPolicy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-cache")
	a.mux.ServeHTTP(w, r)
}

// Run makes the orders change by themselves until ctx is done.
func (a *App) Run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
			a.change()
			timer.Reset(minPause + rand.N(maxPause-minPause))
		case <-ctx.Done():
			return
		}
	}
}

func (a *App) change() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.book.change()
	a.viewers.prune(time.Now())
	a.version++
}

// stats are what the page shows of the API's own view.
type stats struct {
	Polls   int `json:"polls"`   // requests for the orders, whatever they were answered
	Viewers int `json:"viewers"` // pages that are open
}

// serveOrders answers a poll.
func (a *App) serveOrders(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	a.polls++
	down := time.Now().Before(a.outage)
	// The validator is a weak one: a document that differs in nothing but
	// the number of polls is as good as the one before (RFC 9110, section
	// 8.8.1).
	tag := fmt.Sprintf(`W/"%x-%d"`, a.epoch.UnixNano(), a.version)
	document := struct {
		stats
		Orders []order `json:"orders"`
	}{a.stats(), a.book.list()}
	a.mu.Unlock()

	if down {
		http.Error(w, "out of order", http.StatusServiceUnavailable)
		return
	}
	body, err := json.Marshal(document)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("ETag", tag)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
}

func (a *App) serveStats(w http.ResponseWriter, _ *http.Request) {
	a.mu.Lock()
	now := a.stats()
	a.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(now) // fails only if the client is gone
}

// stats returns the numbers as they are; a.mu is held.
func (a *App) stats() stats { return stats{a.polls, len(a.viewers)} }

func (a *App) breakDown(w http.ResponseWriter, _ *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.outage = time.Now().Add(outage)
	w.WriteHeader(http.StatusNoContent)
}

func (a *App) enter(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.viewers.enter(r.PathValue("id"), time.Now()) {
		a.version++
	}
	w.WriteHeader(http.StatusNoContent)
}

func (a *App) leave(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.viewers.leave(r.PathValue("id")) {
		a.version++
	}
	w.WriteHeader(http.StatusNoContent)
}
