// Package desk is the order desk: a small shop's HTTP service with customers,
// orders and money, that the demo's governed executions act on.
//
// It is the outside world. It knows nothing of Interlock and imports nothing of
// it, so what it recorded is a second opinion: an execution's evidence says what
// was allowed and done, the desk's ledger says what really happened.
//
// # Running one
//
//	d, err := desk.Open(ctx, desk.Config{Path: "desk.db", Token: token})
//	…
//	defer d.Close()
//	err = d.Serve(ctx, listener)
//
// # Asking it
//
// Every request but GET /healthz carries "Authorization: Bearer <token>".
// Order ids are accepted with their '#' (as %23) or without it. Answers are
// JSON; a refusal is {"error": "…"}.
//
//	GET  /healthz
//	GET  /users/{id}             GET /users?email=
//	GET  /products/{id}
//	GET  /orders/{id}
//	GET  /orders/{id}/weight     takes Config.PackTime
//	POST /orders/{id}/refund     {"customer", "amount", "reason"}   delivered orders
//	POST /orders/{id}/cancel     {"customer", "reason"}             pending orders
//	POST /orders/{id}/ship       {"customer", "carrier"}            pending orders; takes Config.PackTime
//	POST /orders/{id}/notify     {"customer", "message"}
//	GET  /admin/access?since=ID  GET /admin/ledger?since=ID
//	POST /admin/fail             {"path_prefix", "status", "times"}
//
// Amounts are integers in minor units (cents). Shipping makes a pending order
// "processed", the word the data has for "with the carrier".
//
// # Idempotency
//
// The POSTs under /orders/ need an Idempotency-Key. The first answer given
// after the key was looked up, a refusal included, is kept with the effect in
// one transaction, and repeated byte for byte for the same key, path and body
// bytes, with the header "Idempotent-Replayed: true". The same key with another
// path or body is refused with 422. A request whose twin is still at work waits
// for it. Answers that did nothing and decided nothing (400, 401, 499 and
// injected failures) are not kept, so the same key may be tried again.
//
// # What is recorded
//
// Two append-only tables. The ledger holds effects. The access log holds every
// HTTP request, and gets its row before anything is done about it: an endpoint
// that is not in the log was never called, even if the desk died meanwhile.
package desk
