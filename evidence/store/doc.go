// Package store remembers evidence: in an embedded SQLite file that several
// processes of one machine may open at once, or, for a fleet, in a PostgreSQL
// database. [Open] tells them apart by their name; everything else is the same.
//
// # What it keeps
//
//   - the chain of records of every [Run] ([Store.Begin], [Store.Append],
//     [Store.Records], [Store.Head]);
//   - which principal asked for what, once ([Nonce]);
//   - who took the right to cause an effect, and how that ended ([Slot]);
//   - which run goes on with the chain of which, by which handover, once
//     ([Store.Continue]);
//   - what the guard of a running step last said of itself ([Attestation]);
//   - the newest lease of every run ([Store.Renew]);
//   - the chains that concern many executions ([Orders], [Trust]);
//   - the largest time that any of its writers ever saw ([Store.Seen]). It
//     judges nothing by it: no call fails because of what time it is.
//
// Nothing is ever changed or deleted. Triggers in the file or database refuse it,
// also to other programs that open it; only leases, attestations and the time
// move, and only forward. Names (of namespaces, workflows, runs, steps, keys,
// workers, principals) must be UTF-8 without a zero byte in PostgreSQL, which
// refuses others.
//
// # What it is trusted with
//
// The store is not trusted: an attacker who can write to its file, or owns its
// tables, can drop the triggers and edit what he likes, and is found out by anyone
// with a proof or a checkpoint. In PostgreSQL the processes need not own anything
// ([Prepare]): their users can be kept from changing what is there. Reading a chain finds edits that were not made to all later
// links too ([ErrCorrupt]); a signature is checked by evidence.Verify and not
// here.
//
// # When a call fails
//
// A method that returns nil has put its change on disk (synchronous=FULL; a
// server whose settings would not do so is refused). A method that returns an error has changed nothing, with one exception:
// [ErrUnavailable] can also mean that the change was made and the answer got
// lost, as when the machine stops, or the connection breaks, just after the
// commit. It then changed all that it was asked to. Callers try again: each method says what a second call
// with the same arguments returns. A store over a server that was away connects
// again by itself.
//
// One batch of writes is made at a time, whoever makes it. In PostgreSQL a
// process that stops in the middle of one loses its session after 2 s, and with it
// the batch; its callers get ErrUnavailable. Whoever has a user of the database can
// still hold the lock that batches take and so keep everybody from writing, which
// fails closed.
package store
