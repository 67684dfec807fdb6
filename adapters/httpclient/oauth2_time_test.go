package httpclient

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sidestream/adapters"
)

// A script answers requests without a network, for tests of time.
type script func(*http.Request) (*http.Response, error)

func (f script) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// scripted returns tokens whose endpoint takes a second to answer with a
// status and "token-1"…, and a function that returns how often it was asked.
func scripted(status *int) (t *tokens, asked func() int) {
	o := Defaults()
	withOAuth("http://auth.test", func(o *Options) { o.Auth.OAuth2.Style = styleHeader })(&o)
	t = newTokens(o)
	n := 0
	t.client.Transport = script(func(r *http.Request) (*http.Response, error) {
		select {
		case <-time.After(time.Second):
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
		n++
		w := httptest.NewRecorder()
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(*status)
		fmt.Fprintf(w, `{"access_token":"token-%d","expires_in":3600}`, n)
		return w.Result(), nil
	})
	return t, func() int { return n }
}

// TestOneTokenRequestAtATime has many requests wait for one token, which is
// first refused to all of them and then given to all.
func TestOneTokenRequestAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		status := http.StatusServiceUnavailable
		tokens, asked := scripted(&status)
		all := func(wanted string) {
			var wg sync.WaitGroup
			for range 20 {
				wg.Go(func() {
					header, err := tokens.authorization(t.Context())
					if got := fmt.Sprint(header, err); !strings.Contains(got, wanted) {
						t.Errorf("got %s, want %s", got, wanted)
					}
				})
			}
			wg.Wait()
		}
		all("answered 503")
		equal(t, "token requests", asked(), 1)
		status = http.StatusOK
		all("Bearer token-2")
		equal(t, "token requests", asked(), 2)
		time.Sleep(3589 * time.Second)
		all("Bearer token-2")
		time.Sleep(2 * time.Second) // x/oauth2 allows for 10s of clock skew
		all("Bearer token-3")
		tokens.drop("Bearer token-2") // refused late: there is a new one
		all("Bearer token-3")
		equal(t, "token requests", asked(), 3)
	})
}

// TestWaitForToken ends the request that fetches a token: others don't get
// its failure, and one that has no time left doesn't wait.
func TestWaitForToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		status := http.StatusOK
		tokens, _ := scripted(&status)
		var wg sync.WaitGroup
		start := func(limit time.Duration, wantHeader string, wantErr error) {
			wg.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), limit)
				defer cancel()
				header, err := tokens.authorization(ctx)
				if header != wantHeader || !errors.Is(err, wantErr) {
					t.Errorf("got %q, %v, want %q, %v", header, err, wantHeader, wantErr)
				}
			})
			synctest.Wait()
		}
		start(500*time.Millisecond, "", context.DeadlineExceeded) // fetches
		start(400*time.Millisecond, "", context.DeadlineExceeded) // waits
		start(time.Minute, "Bearer token-1", nil)
		wg.Wait()
	})
}

// TestTokenTimeout bounds a fetch on behalf of a request that has no bound.
func TestTokenTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		status := http.StatusOK
		tokens, _ := scripted(&status)
		tokens.client.Transport = script(func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		})
		start := time.Now()
		_, err := tokens.authorization(t.Context())
		equal(t, "time", time.Since(start), 30*time.Second)
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want %v", err, context.DeadlineExceeded)
		}
		equal(t, "reason", adapters.Reason(err), reasonToken)
	})
}
