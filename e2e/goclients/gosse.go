package main

import (
	"net/http"

	"github.com/tmaxmax/go-sse"
)

// followGoSSE follows a stream with tmaxmax/go-sse as it comes.
func followGoSSE(url string, tell teller) {
	connectGoSSE(&sse.Client{}, url, 0, tell)
}

// followGoSSEAdvised gives it room for large events, has it wait for as long
// as the server says (a Jitter of 0 stands for a half), and drops what is no
// event.
func followGoSSEAdvised(url string, tell teller) {
	connectGoSSE(&sse.Client{Backoff: sse.Backoff{Jitter: 0.001}}, url, maxEvent, withoutEmpty(tell))
}

// maxEvent is what clients are given room for, in bytes.
const maxEvent = 4 << 20

func connectGoSSE(client *sse.Client, url string, room int, tell teller) {
	req, err := http.NewRequest(http.MethodGet, url, nil) //nolint:noctx // it ends with the process
	if err != nil {
		panic(err)
	}
	conn := client.NewConnection(req)
	if room > 0 {
		conn.Buffer(nil, room)
	}
	conn.SubscribeToAll(func(e sse.Event) { tell(e.Type, e.LastEventID, e.Data) })
	_ = conn.Connect() // until it gives up, for whatever reason
}
