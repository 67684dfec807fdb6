package main

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/r3labs/sse/v2"
	"gopkg.in/cenkalti/backoff.v1"
)

// followR3Labs follows a stream with r3labs/sse as it comes.
func followR3Labs(url string, tell teller) {
	_ = sse.NewClient(url).SubscribeRaw(func(e *sse.Event) { tell(string(e.Event), string(e.ID), string(e.Data)) })
}

// followR3LabsAdvised gives it room for large events, subscribes again when
// the server has closed the connection, waits for as long as the server says,
// stays away after any other status than 200, and drops what is no event.
func followR3LabsAdvised(url string, tell teller) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	tell = withoutEmpty(tell)
	wait := &serversPace{}
	wait.set(time.Second)
	client := sse.NewClient(url, sse.ClientMaxBufferSize(maxEvent))
	client.ReconnectStrategy = backoff.WithContext(wait, ctx)
	client.ResponseValidator = func(_ *sse.Client, resp *http.Response) error {
		if resp.StatusCode == http.StatusOK {
			return nil
		}
		_ = resp.Body.Close()
		cancel()
		return errors.New(resp.Status)
	}
	for ctx.Err() == nil {
		_ = client.SubscribeRawWithContext(ctx, func(e *sse.Event) {
			if ms, err := strconv.Atoi(string(e.Retry)); err == nil {
				wait.set(time.Duration(ms) * time.Millisecond)
			}
			tell(string(e.Event), string(e.ID), string(e.Data))
		})
		select {
		case <-time.After(wait.NextBackOff()):
		case <-ctx.Done():
		}
	}
}

// serversPace is a backoff.BackOff that waits as the server has said last.
type serversPace struct{ atomic.Int64 }

func (p *serversPace) set(d time.Duration) { p.Store(int64(d)) }

func (p *serversPace) NextBackOff() time.Duration { return time.Duration(p.Load()) }

func (p *serversPace) Reset() {}
