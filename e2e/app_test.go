package e2e

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

// app starts an application in Go, for what nginx can't be made to do.
func app(tb testing.TB, h http.HandlerFunc) (url string) {
	tb.Helper()
	server := httptest.NewServer(h)
	tb.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	return server.URL
}

// hang starts an application that takes requests and never answers.
func hang(tb testing.TB) (url string) {
	tb.Helper()
	return app(tb, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
}
