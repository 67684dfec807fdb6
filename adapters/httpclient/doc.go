// Package httpclient makes the HTTP requests of adapters: over which
// connections, with which credentials, and how far it follows redirects.
//
// # Who gets the credentials
//
// Configured headers, configured credentials, the client certificate and a
// client's own credentials go to the host of the request's URL and to nobody
// else. A redirect keeps them only if it stays on that host, on the same
// scheme and port or from http to https. Once a chain of redirects has left
// the host, it goes on without them, even if it comes back: where it leads is
// then not the upstream's word alone.
//
// No error holds a credential, a URL, or text that a peer sent. Option values
// that may be secrets are masked by fmt and in JSON.
//
// # Files
//
// Values and TLS files that change are read again before the next request, and
// what is no longer usable leaves the last good content in use: see packages
// secret and tlsfiles. What never was good fails the request with an error that
// names the option and the file, never the content.
//
// New TLS files hold for new connections, and no request is sent over an old
// one any more.
//
// # Bounds
//
// A connection must be made within 10s, its TLS handshake be done within 10s,
// and it is closed when it was idle for 90s. The headers of a response have at
// most 64KiB. The time of a request, redirects and tokens included, is bounded by
// its context.
package httpclient
