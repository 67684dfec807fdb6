// Package e2e tests the sidestream binary against real software: nginx as the
// application behind it, proxies in front of it, Chromium, Firefox, clients from
// npm and for Go, and curl as its clients, and signals, cut connections and
// garbage as its surroundings.
//
// It also does what README.md and the pages in docs say: it runs their commands
// and looks at what these show, their tables and their links.
//
// It is a module of its own, so that what only tests need is no dependency of
// the program. setup.sh installs the software; then
//
//	go test -race ./...
//
// builds the binary and runs everything. The test of the container image runs a
// Docker daemon of its own, and so has to be root's. Environment variables:
//
//	E2E_RACE=1        builds the binary with the race detector
//	E2E_BINARY=path   runs that binary instead of building one
//	E2E_TRAEFIK=path  has that Traefik among the proxies in front; setup.sh
//	                  doesn't build one, which would take too long
//
// What is in helm/ is tested by three packages of their own beside the tests
// here that run it: chart renders it, kube checks what comes of that as an API
// server would, and cluster installs it in a real one, by "make e2e-cluster".
//
// The numbers in tests' comments and names (W2, C1, R6, X5, …) are those of
// the requirements that the test proves.
package e2e
