// Package historychaos decides whether replicas that share their histories
// have kept what that promises while everything around them failed. Like
// package chaos, which checks what each client got of what is stored, it is
// pure.
//
// # What is stored
//
// Nobody asks the store. What it holds is what all clients together have had
// of it ([Union]): an id is one place, at which there is one event, whoever
// was given it by whichever replica. Webhooks that were accepted are there,
// once, and those of one sender in order ([Accepted]).
//
// # What was never stored
//
// A source without positions loses what is published while nobody runs it.
// Between the events before and after there is then a gap ([Announced]).
//
// # Who asks
//
// A legacy application is asked by one replica at a time ([Polls]). Of one that
// stood still, and doesn't know that another has taken its place, a request may
// still be under way, for no longer than the lease lasts; and from when it can
// know, it asks no more.
//
// # Documents
//
// A document ([Document]) tells its version, and is like no other. Each client
// that applies what it is sent has one version after the other, and nothing
// else, and at the same id all have the same ([Versions]).
package historychaos

import "sidestream/e2e/chaos"

// The kinds of violations that package chaos doesn't have.
const (
	Unannounced chaos.Kind = "unannounced" // what was published is missing, and nobody was told
	Together    chaos.Kind = "together"    // two replicas asked at once for too long
	Superseded  chaos.Kind = "superseded"  // a replica asked although another one did by then
)
