package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/interlock-run/interlock/deploy/demo/desk"
)

// errUsage means that the command line was wrong, and that the user was told.
var errUsage = errors.New("wrong usage")

type options struct {
	listen, db, tokenFile string
	packTime              time.Duration
}

// run opens the desk and serves it until ctx ends. It takes nothing from the
// environment: what a desk does is on its command line.
func run(ctx context.Context, args, _ []string, stdout, stderr io.Writer) (err error) {
	o, err := parse(args, stderr)
	if err != nil {
		return err
	}
	token, err := os.ReadFile(o.tokenFile)
	if err != nil {
		return fmt.Errorf("reading the bearer token: %w", err)
	}
	d, err := desk.Open(ctx, desk.Config{
		Path: o.db, Token: strings.TrimSpace(string(token)), PackTime: o.packTime, Log: logger(stderr),
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	l, err := net.Listen("tcp", o.listen)
	if err != nil {
		return fmt.Errorf("listening: %w", err)
	}
	if _, err := fmt.Fprintf(stdout, "listening on http://%s\n", l.Addr()); err != nil {
		return errors.Join(fmt.Errorf("saying where it listens: %w", err), l.Close())
	}
	return d.Serve(ctx, l)
}

func parse(args []string, stderr io.Writer) (o options, err error) {
	flags := flag.NewFlagSet("orderdesk", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&o.listen, "listen", "127.0.0.1:0", "`address` to listen on; port 0 takes a free one")
	flags.StringVar(&o.db, "db", "", "SQLite `file` with the orders; created if absent (required)")
	flags.StringVar(&o.tokenFile, "token-file", "", "`file` with the bearer token that callers must present (required)")
	flags.DurationVar(&o.packTime, "pack-time", desk.DefaultPackTime, "how long shipping or weighing an order takes, above 0")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return o, err
		}
		return o, errUsage
	}
	if flags.NArg() > 0 || o.db == "" || o.tokenFile == "" {
		fmt.Fprintln(stderr, "orderdesk: -db and -token-file are required, and nothing but flags is taken")
		flags.Usage()
		return o, errUsage
	}
	return o, nil
}

func logger(w io.Writer) *zap.Logger {
	encoder := zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig())
	return zap.New(zapcore.NewCore(encoder, zapcore.Lock(zapcore.AddSync(w)), zap.InfoLevel))
}
