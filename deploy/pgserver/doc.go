// Package pgserver runs a real PostgreSQL for tests, trials and benchmarks: in
// a folder of its own that is removed with it, reachable over a Unix socket
// there and nowhere else, flushing to disk as a server must.
//
// PostgreSQL has to be installed (on Debian: apt-get install postgresql); it
// does not run as root, so root runs it as the user postgres, or nobody.
package pgserver
