package proxy

import (
	"cmp"
	"context"
	"errors"
	"io"
	stdlog "log"
	"maps"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"time"

	"sidestream/adapters"
	"sidestream/proxy/eventstream"
)

// newTransport returns the transport to applications, or to the one at the
// socket if that isn't empty. Bodies are passed on as they are, so it neither
// asks for nor undoes compression.
func newTransport(socket string) *http.Transport {
	dialer := &net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}
	dial := dialer.DialContext
	if socket != "" {
		dial = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, "unix", socket)
		}
	}
	return &http.Transport{
		DialContext:           dial,
		ForceAttemptHTTP2:     true,
		MaxIdleConns:          1024,
		MaxIdleConnsPerHost:   256,
		IdleConnTimeout:       90 * time.Second,
		TLSHandshakeTimeout:   10 * time.Second,
		ExpectContinueTimeout: time.Second,
		DisableCompression:    true,
	}
}

// newPassthrough returns the handler that forwards requests to upstream,
// unchanged but for hop-by-hop headers and X-Forwarded-*: streaming both
// ways, with upgrades and trailers. What comes back is unchanged, too, but
// where a stream is at the same URL, and beside true, it says so in Vary.
func newPassthrough(upstream *url.URL, beside bool, s *Server) http.Handler {
	log := s.log.With().Str("upstream", cmp.Or(upstream.Host, upstream.String())).Logger()
	transport := s.transports.to(upstream)
	if socketOf(upstream) != "" {
		upstream = &url.URL{Scheme: "http", Host: "localhost"} // which only a client sees that names no host
	}
	proxy := &httputil.ReverseProxy{
		Transport:     transport,
		ErrorLog:      stdlog.New(complaints{log}, "", 0),
		FlushInterval: -1, // nothing waits for a buffer to fill
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(upstream)
			r.Out.Host = r.In.Host
			keepTarget(r, upstream)
			// The clone's trailer was copied before there was one.
			r.Out.Trailer = r.In.Trailer
			if r.In.ContentLength < 0 && r.Out.Body != nil {
				r.Out.Body = &trailed{r.Out.Body, r.In}
			}
			forwardedHeaders(r)
		},
		ModifyResponse: func(r *http.Response) error {
			s.metrics.passedThrough(r.StatusCode)
			if beside {
				varyByAccept(r.Header)
			}
			return nil
		},
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			if errors.Is(err, context.Canceled) && r.Context().Err() != nil {
				// The client is gone, or has to be, since the server is. Without
				// an answer, what it asked for doesn't look done.
				panic(http.ErrAbortHandler)
			}
			log.Warn().Err(adapters.Quoteless(err)).Str("method", r.Method).Msg("upstream can't be reached")
			if wantsStream(r.Header) {
				s.comeBack(w, r, s.retry())
				return
			}
			s.metrics.passedThrough(http.StatusBadGateway)
			if beside {
				varyByAccept(w.Header())
			}
			if r.ProtoMajor == 1 {
				// It may be another one's turn: the next connection can lead to
				// a replica whose application is there.
				w.Header().Set("Connection", "close")
			}
			http.Error(w, "the application behind this proxy can't be reached", http.StatusBadGateway)
		},
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if isOver(r) || !s.passing.take() {
			s.turnAway(w, r, beside)
			return
		}
		defer s.passing.give()
		if r.ProtoMajor == 1 {
			// Let an application answer while it is still reading. Where
			// this isn't possible, it is the same as without.
			_ = http.NewResponseController(w).EnableFullDuplex()
		}
		proxy.ServeHTTP(w, r)
	})
}

// comeBack stands in for a stream of the application that can't be had now.
// Without a proxy the browser would try again; any status but 200 would end its
// EventSource for good (R6).
func (s *Server) comeBack(w http.ResponseWriter, r *http.Request, after time.Duration) {
	s.metrics.passedThrough(http.StatusOK)
	w.Header().Add("Vary", "Accept")
	allowAnyOrigin(w.Header(), r)
	writeStreamHeader(w, r)
	_, _ = w.Write(eventstream.AppendRetry(nil, after))
}

// allowAnyOrigin lets a page read an answer that tells it nothing but to come
// back, wherever the page is from. The application's own policy isn't known
// while it can't be reached, and without one the browser would give up for good
// (R6).
func allowAnyOrigin(h http.Header, r *http.Request) {
	h.Add("Vary", "Origin")
	if origin := r.Header.Get("Origin"); origin != "" {
		h.Set("Access-Control-Allow-Origin", origin)
		h.Set("Access-Control-Allow-Credentials", "true")
	}
}

// trailed is the body of a request whose trailer says nothing of where it comes
// from: an application may take that for a header (RFC 9110 section 6.5.1).
type trailed struct {
	io.ReadCloser
	request *http.Request
}

func (b *trailed) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil { // so that the trailer has come, if it comes at all
		maps.DeleteFunc(b.request.Trailer, func(name string, _ []string) bool { return forwardingHeader(name) != "" })
	}
	return n, err
}

// varyByAccept says, beside what else an answer depends on, that another
// Accept would have had another one, lest a cache gives it to whoever asks for
// the stream (RFC 9110 section 12.5.5).
func varyByAccept(h http.Header) {
	for _, line := range h.Values("Vary") {
		for name := range strings.SplitSeq(line, ",") {
			if name = strings.Trim(name, " \t"); name == "*" || strings.EqualFold(name, "Accept") {
				return
			}
		}
	}
	h.Add("Vary", "Accept")
}

// keepTarget leaves the request's target as it came, where net/url would
// escape a character that browsers don't, or ReverseProxy would drop a query
// parameter that it can't parse.
func keepTarget(r *httputil.ProxyRequest, upstream *url.URL) {
	// HTTP/2 can carry a space, which would end the target in HTTP/1.1.
	r.Out.URL.RawQuery = strings.ReplaceAll(r.In.URL.RawQuery, " ", "%20")
	path, _, _ := strings.Cut(strings.ReplaceAll(r.In.RequestURI, " ", "%20"), "?")
	if base := strings.TrimSuffix(upstream.EscapedPath(), "/"); strings.HasPrefix(path, "/") && !strings.HasPrefix(base+path, "//") {
		r.Out.URL.Opaque = base + path
	}
}

// forwardedHeaders passes on where the request comes from, which has been
// settled, and sets X-Forwarded-Host and -Proto unless a proxy in front has
// done so.
func forwardedHeaders(r *httputil.ProxyRequest) {
	r.SetXForwarded()
	r.Out.Header.Del("X-Forwarded-For")
	for _, name := range []string{"X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "Forwarded"} {
		if values := r.In.Header.Values(name); len(values) > 0 {
			r.Out.Header[name] = values
		}
	}
}
