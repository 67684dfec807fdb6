// Package tlsfiles makes TLS configurations for the connections of adapters, to
// upstreams ([New]) and of listeners ([NewServer]), out of options and of files
// that may change while the program runs.
//
// Files are read as package secret reads them: looked at again before each
// use, so that rotated certificates and Kubernetes' mounted secrets are seen.
// What is no longer usable (a file that went away, a certificate whose key
// isn't there yet) leaves the last good configuration in use, of which
// [Source.Trouble] tells. What never was usable is an error that names the option
// and the file, never the content.
//
// A file has at most 1MiB.
package tlsfiles
