// Command release builds the programs of Interlock so that anybody who builds
// the same commit with the same Go gets the same bytes, and writes beside them
// their checksums and what they are made of.
//
// SHA3-512SUMS holds what a running engine says of itself: the digest of its
// executable, in its log when it starts and in every signal and attestation.
//
// Keys in PKCS #11 tokens need a C library, so programs that use them are not
// among those built here.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
)

func main() {
	out := flag.String("out", "out/release", "folder to make; what is in it is replaced")
	platforms := flag.String("platforms", "linux/amd64,linux/arm64,darwin/arm64", "GOOS/GOARCH, separated by commas")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *out, strings.Split(*platforms, ",")); err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out string, platforms []string) error {
	r := &release{source: ".", programs: programs, out: out, sbom: true, say: func(s string) { fmt.Println(s) }}
	for _, p := range platforms {
		if err := r.add(p); err != nil {
			return err
		}
	}
	return r.make(ctx)
}
