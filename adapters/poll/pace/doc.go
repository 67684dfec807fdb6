// Package pace decides when polls are sent.
//
// Three things have a say. What the API asked for, in the headers of its last
// answer, is read by [Advise]. When one poll is next due, by its configured
// interval and that advice, is kept by a [Schedule]. What all polls to one
// host share, such as a rate and the knowledge that it is down, is kept by
// [Hosts]: each poll takes a [Turn] there before it is sent, and gives it
// back with what came of it.
//
// # Guarantees
//
//   - Nothing that an API sends delays a poll by more than [MaxWait] (a tenth
//     more where many would otherwise come in step), and no header is a
//     reason to poll sooner than is configured.
//   - Turns are granted in the order in which they were asked for. A key that
//     has one poll under way at a time therefore can't starve another, however
//     short its interval.
//   - No more than Limits.InFlight turns are out at any time, and no more than
//     Limits.Rate are granted in a second; where routes disagree, the
//     strictest holds.
//   - A caller that gives up waiting leaves the queue at once and takes no
//     turn with it.
//   - A host that doesn't answer is asked by one poll at a time, at growing
//     distances, until it answers.
//   - What is kept for a host is forgotten when nobody uses it any more. No
//     goroutine runs in the background; a timer is set while a turn that could
//     be granted later is being waited for.
//
// The queue of a host is as long as there are callers in Acquire; bounding
// those is up to the caller.
package pace
