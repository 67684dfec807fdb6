package sse

import (
	"crypto/tls"
	"encoding/pem"
	"errors"
	"io"
	stdlog "log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"sidestream/adapters"
	"sidestream/adapters/secret"
)

// TestAnswers: what a source makes of answers.
func TestAnswers(t *testing.T) {
	const over, denied, lost = "over", "denied", "lost"
	header := func(name, value string) http.Header { return http.Header{name: {value}} }
	for _, tt := range []struct {
		name    string
		status  int
		header  http.Header
		forward bool
		after   adapters.Position
		want    string // the reason for clients, or how it ended
		counted string
	}{
		{name: "no content", status: 204, want: over, counted: "204"},
		{name: "gone", status: 410, want: over, counted: "410"},
		{name: "position gone", status: 410, after: "7", want: lost, counted: "410"},
		{name: "reset content", status: 205, want: "upstream answered 205", counted: "205"},
		{name: "not found", status: 404, want: "upstream answered 404", counted: "404"},
		{name: "down", status: 503, want: "upstream answered 503", counted: "503"},
		{name: "unauthorized", status: 401, want: "upstream answered 401", counted: "401"},
		{name: "client unauthorized", status: 401, header: header("Www-Authenticate", "Bearer"), forward: true, want: denied, counted: "401"},
		{name: "client forbidden", status: 403, forward: true, want: denied, counted: "403"},
		{name: "client limited", status: 403, header: header("Retry-After", "5"), forward: true, want: "upstream answered 403", counted: "403"},
		{name: "page", status: 200, header: header("Content-Type", "text/html; charset=utf-8"), want: "permanent: upstream's answer is no event stream", counted: "type"},
		{name: "no type", status: 200, header: header("Content-Type", ""), want: "permanent: upstream's answer is no event stream", counted: "type"},
		{name: "broken type", status: 200, header: header("Content-Type", "<a b>"), want: "permanent: upstream's answer is no event stream", counted: "type"},
		{name: "compressed", status: 200, header: header("Content-Encoding", "identity, gzip"), want: "permanent: upstream compresses its stream", counted: "coded"},
		{name: "type in capitals", status: 200, header: http.Header{"Content-Type": {"Text/Event-Stream ;charset"}, "Content-Encoding": {"identity"}}, want: "live", counted: "200"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var outcomes tally
				s := openScript(outcomes.env(), func(r *http.Request) (*http.Response, error) {
					a := held(r, "")
					a.StatusCode = tt.status
					for name, values := range tt.header {
						a.Header[name] = values
					}
					return a, nil
				}, func(o *Options) {
					if o.IDs = idsPass; tt.forward {
						o.Forward = []string{"Authorization"}
					}
				})
				var got string
				err := s.Run(t.Context(), tt.after, func(e adapters.Event) error {
					got = words([]adapters.Event{e})[0]
					return errEnoughOf
				})
				var refused *adapters.DeniedError
				switch {
				case err == nil:
					got = over
				case errors.Is(err, adapters.ErrPositionLost):
					got = lost
				case errors.As(err, &refused):
					got = denied
					if refused.Status != tt.status || !slices.Equal(refused.Challenge, tt.header["Www-Authenticate"]) {
						t.Errorf("got %+v, want status %d and its challenge", refused, tt.status)
					}
				case !errors.Is(err, errEnoughOf):
					if got = adapters.Reason(err); adapters.IsPermanent(err) {
						got = "permanent: " + got
					}
				}
				if got != tt.want || !slices.Equal(outcomes.get(), []string{tt.counted}) {
					t.Errorf("got %q (%v), counted as %q; want %q, counted as %s", got, err, outcomes.get(), tt.want, tt.counted)
				}
			})
		})
	}
}

// TestPositionGoneByItself: a server that forgets the id which the source has
// by itself is asked without it.
func TestPositionGoneByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked []string
		s := openScript(adapters.Env{}, func(r *http.Request) (*http.Response, error) {
			asked = append(asked, r.Header.Get("Last-Event-ID"))
			switch len(asked) {
			case 1:
				return answer("id: 1\ndata: a\n\n"), nil
			case 2:
				return reply(http.StatusGone, http.NoBody), nil
			default:
				return held(r, "data: b\n\n"), nil
			}
		}, nil)
		if got, err := all(t, s, ""); len(got) != 1 || err == nil {
			t.Errorf("got %q, %v, want an event and a failure", words(got), err)
		}
		take(t, s, "", 1)
		if want := []string{"", "1", ""}; !slices.Equal(asked, want) {
			t.Errorf("got requests after %q, want %q", asked, want)
		}
	})
}

// TestErrorsTellNothing: neither logs nor clients get to see a path, a query, a
// credential or what the server says.
func TestErrorsTellNothing(t *testing.T) {
	for _, h := range []http.HandlerFunc{
		func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) },
		func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "hunter2")
			io.WriteString(w, "hunter2")
		},
		func(w http.ResponseWriter, _ *http.Request) {
			conn, _, _ := w.(http.Hijacker).Hijack()
			io.WriteString(conn, "HTTP/1.1 hunter2\r\n\r\n")
			conn.Close()
		},
		func(w http.ResponseWriter, _ *http.Request) {
			conn, _, _ := w.(http.Hijacker).Hijack()
			io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\nhunter2\r\n")
			conn.Close()
		},
		func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "http://hunter2.test/")
			w.WriteHeader(http.StatusFound)
		},
	} {
		upstream := serve(t, h)
		s := open(t, upstream, adapters.Env{Credentials: http.Header{"Cookie": {"hunter2"}}}, func(o *Options) {
			o.URL, o.Forward = upstream.String()+"/hunter2?key=hunter2", []string{"Cookie"}
			o.Client.Headers = map[string]secret.Value{"X-Key": secret.Text("hunter2")}
		})
		_, err := all(t, s, "")
		if err == nil || strings.Contains(err.Error(), "hunter2") || strings.Contains(adapters.Reason(err), upstream.Host) {
			t.Errorf("got %v, with the reason %q; want a failure that gives nothing away", err, adapters.Reason(err))
		}
	}
}

// TestPrincipals: each principal's own credentials are sent, and what the
// server tells one is for no other.
func TestPrincipals(t *testing.T) {
	upstream := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") == "" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		begin(w, "id: 1\ndata: for "+r.Header.Get("Authorization")+"\n\n")
		<-r.Context().Done()
	})
	f := configure(t, adapters.Route{Path: "/events", Upstream: upstream}, func(o *Options) { o.Forward = []string{"authorization"} })
	if got := f.Capabilities().Forward; !slices.Equal(got, []string{"Authorization"}) {
		t.Errorf("got %q, want the name in canonical form", got)
	}
	var runs sync.WaitGroup
	for _, who := range []string{"ann", "bob", ""} {
		env := adapters.Env{Credentials: http.Header{}}
		if who != "" {
			env.Credentials.Set("Authorization", who)
		}
		s, err := f.Open(nil, env)
		if err != nil {
			t.Fatal(err)
		}
		runs.Go(func() {
			var got string
			err := s.Run(t.Context(), "", func(e adapters.Event) error {
				got = string(e.Data)
				return errEnoughOf
			})
			var denied *adapters.DeniedError
			if who == "" && !errors.As(err, &denied) || who != "" && got != "for "+who {
				t.Errorf("%q: got %q, %v", who, got, err)
			}
		})
	}
	runs.Wait()
}

// TestRedirect: redirects are followed on the host, with credentials and the
// id to resume from.
func TestRedirect(t *testing.T) {
	upstream := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/events" {
			http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
			return
		}
		begin(w, "data: "+r.Header.Get("X-Key")+r.Header.Get("Last-Event-ID")+"\n\n")
		<-r.Context().Done()
	})
	s := open(t, upstream, adapters.Env{}, func(o *Options) {
		o.IDs, o.Client.Headers = idsPass, map[string]secret.Value{"X-Key": secret.Text("k")}
	})
	if got := words(take(t, s, "7", 1)); got[0] != "7||k7" {
		t.Errorf("got %q, want k7", got)
	}
}

// TestTLS: a stream over TLS, with HTTP/2 and without, from a server whose
// authority is configured, and from none other.
func TestTLS(t *testing.T) {
	for _, proto := range []string{"HTTP/1.1", "HTTP/2.0"} {
		server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			begin(w, "data: "+r.Proto+"\n\n")
			<-r.Context().Done()
		}))
		server.EnableHTTP2 = proto == "HTTP/2.0"
		server.Config.ErrorLog = stdlog.New(io.Discard, "", 0)
		server.StartTLS()
		t.Cleanup(server.Close)
		ca := filepath.Join(t.TempDir(), "ca.pem")
		if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600); err != nil {
			t.Fatal(err)
		}
		upstream, _ := url.Parse(server.URL)
		s := open(t, upstream, adapters.Env{}, func(o *Options) { o.Client.TLS.CA = ca })
		if got := words(take(t, s, "", 1)); got[0] != "||"+proto {
			t.Errorf("got %q, want %s", got, proto)
		}
		_, err := all(t, open(t, upstream, adapters.Env{}, nil), "")
		if _, untrusted := errors.AsType[*tls.CertificateVerificationError](err); !untrusted || adapters.Reason(err) != "certificate not trusted" {
			t.Errorf("got %v, want the certificate refused", err)
		}
	}
}
