// Package devserver finds and runs the genuine Temporal development server.
//
//	binary, err := devserver.Find(ctx, os.Stderr) // may build it, once
//	server, err := devserver.Start(ctx, devserver.Options{Binary: binary})
//	defer server.Stop()
//	c, err := server.Client(ctx, client.Options{})
//
// # Which server
//
// [Find] takes the temporal CLI from PATH if it is the genuine one, and
// otherwise builds it from the module in deploy/temporal. That module is apart
// from ours, because the server's dependencies must not become ours.
//
// # For development and tests only
//
// The server listens on 127.0.0.1, without TLS and without authorization:
// every local user may read and change everything in it. Governance does not
// rest on Temporal being trustworthy, but availability does.
//
// # How it differs from a stock development server
//
// A stock one spends 50 ms on each hop of a task, fires timers on whole
// seconds, and lets a client's wait for a result hang for 20 s at times.
// [Start] sets the dynamic configuration that removes all three; see tuning.
package devserver
