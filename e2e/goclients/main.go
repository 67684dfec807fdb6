// Command goclients follows streams with client libraries for Go that others
// have written, and prints what they deliver, a line of JSON for each event:
//
//	goclients CLIENT NAME=URL...
//
// A client is a library as it comes, or, if its name ends in "+", one that was
// given the options that docs/clients.md advises.
package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
)

// A teller is told of each event of a stream. An event without a type is a
// "message", as in JavaScript. When the library is done with the stream and
// will not ask for it again, that is told as "closed".
type teller func(kind, id, data string)

var clients = map[string]func(url string, tell teller){
	"go-sse":       followGoSSE,
	"go-sse+":      followGoSSEAdvised,
	"r3labs":       followR3Labs,
	"r3labs+":      followR3LabsAdvised,
	"launchdarkly": followLaunchDarkly,

	"launchdarkly+": followLaunchDarklyAdvised,
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "goclients:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) < 2 {
		return fmt.Errorf("usage: goclients CLIENT NAME=URL..., where CLIENT is one of %q", slices.Sorted(maps.Keys(clients)))
	}
	follow, ok := clients[args[0]]
	if !ok {
		return fmt.Errorf("unknown client %q, want one of %q", args[0], slices.Sorted(maps.Keys(clients)))
	}
	var mu sync.Mutex // a line at a time
	out := json.NewEncoder(os.Stdout)
	out.SetEscapeHTML(false)
	var running sync.WaitGroup
	for _, arg := range args[1:] {
		name, url, ok := strings.Cut(arg, "=")
		if !ok {
			return fmt.Errorf("got %q, want NAME=URL", arg)
		}
		tell := func(kind, id, data string) {
			mu.Lock()
			defer mu.Unlock()
			if kind == "" {
				kind = "message"
			}
			_ = out.Encode(map[string]string{"stream": name, "kind": kind, "id": id, "data": data}) // nobody reads on
		}
		running.Go(func() {
			follow(url, tell)
			tell("closed", "", "")
		})
	}
	running.Wait()
	return nil
}

// withoutEmpty keeps from tell what some libraries make of the retry line with
// which the server closes a connection: an event without type and data that
// repeats the id of the event before, as no event of the server's does.
func withoutEmpty(tell teller) teller {
	var last string
	return func(kind, id, data string) {
		if kind == "" && data == "" && id == last {
			return
		}
		last = id
		tell(kind, id, data)
	}
}
