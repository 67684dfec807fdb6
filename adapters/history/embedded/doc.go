// Package embedded runs a NATS server with JetStream in this process, as the
// home of durable histories where no other is configured. It is reached through
// [Server.InProcessConn] only: it listens on no port, handles no signals, and
// tells nobody anything.
//
// # Guarantees
//
//   - A [Server] is up, or says in [Server.Trouble] why it isn't and tries
//     again, with a random delay of up to 15s. It never ends the process of its
//     own accord, though a panic in a goroutine of nats-server's would. Clients
//     that reconnect for ever find it again.
//   - One process has the directory, by a lock on a file in it, which ends with
//     the process. Another one waits, and is up within about a second of the
//     first one's end.
//   - A message that was acknowledged is there after the process was killed at
//     any moment. After a crash of the machine it is too, if
//     [Options.SyncInterval] is 0.
//   - When a stream can't be written any more, for lack of room or any other
//     cause, nothing more is acknowledged in it. nats-server would leave it at
//     that. Here it is seen at once, the server is stopped, and it starts when a
//     MiB can be written again.
//   - When MaxBytes is reached, the server refuses messages and stays up.
//   - When [Server.Close] has returned nothing is left running.
//
// What Trouble says may be shown to clients as [adapters.Reason] gives it; the
// cause names files, and is for logs.
//
// # Damage
//
// nats-server itself goes on without a stream whose configuration it can't read,
// and removes one whose messages it can't open, from the disk. Here neither
// happens: the server isn't up until all that is in the directory can be opened,
// and what it has removed is put back, by second names of the files (so that
// the file system must know hard links). To do without a stream that can't be
// repaired, move its directory, "jetstream/$G/streams/<name>", away.
//
// Within a file of messages nats-server drops what doesn't match its checksum,
// mostly without a word:
//
//   - After the process was killed: the damaged message and all that follow it
//     in the same file. If that is the last file, their sequences are used
//     again. What was cut off at the end, in the middle of being written, was
//     never acknowledged and is all that is lost after a kill.
//   - After an orderly end: nothing at first. A damaged message is an error when
//     it is read by its sequence; the others can be read.
//   - The index and its like are made anew from the messages.
//
// # Sync
//
// A message that is forced to the disk before it is acknowledged takes about 18
// times as long for one publisher, and a stream stores about 45 times fewer of
// them a second (0.26ms in place of 0.015ms, 5,000/s in place of 230,000/s, of
// 256 bytes on a fast virtual disk; a slow one makes it 200/s). It is the
// default all the same: after a crash of the machine, sequences that were lost
// would be given to other messages, and a client that has seen the first ones
// would miss the others without being told. With an interval, that is what may
// happen.
//
// # Costs
//
// An idle server has about 5MB of memory, and with 100,000 or with a million
// messages on disk, just written, about 30MB. It starts in 15ms when it is
// empty; with a million messages in 0.3s after an orderly end, and in 0.6s after
// a kill. The build tag sidestream_noembed leaves it out of the program, which
// makes that about 10MB smaller; see [Built].
package embedded
