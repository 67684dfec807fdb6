// Package verify tells whether a webhook request is from whom it claims to be,
// in the ways that providers have: signatures, tokens, addresses and
// certificates.
//
// A [Verifier] has one or several schemes, all of which a request must meet.
// It works on the raw bytes of the body, compares in constant time, and tries
// all secrets of a scheme whichever of them is the right one. Where a scheme has
// a timestamp, it must be part of what is signed, and near enough to now, in
// the past as well as in the future.
//
// A header that a scheme reads must be there once: one that is empty, repeated
// or absurdly long is no proof.
//
// # What signatures don't cover
//
// GitHub, GitLab's token, Shopify, Bitbucket and Gitea sign the body alone, or
// nothing: the event type and the delivery id in their headers, and when it was
// sent, are as trustworthy as the connection (use TLS). Twilio signs names and
// values of parameters with nothing in between.
package verify
