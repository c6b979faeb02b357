package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"go.temporal.io/sdk/client"
	"go.uber.org/zap"

	"github.com/interlock-run/interlock/deploy/devserver"
	"github.com/interlock-run/interlock/worker"
	"github.com/interlock-run/interlock/worker/config"
)

// errUsage means that the command line cannot be carried out as it is.
var errUsage = errors.New("wrong usage")

// codeOf is the one place where an error becomes an exit code.
func codeOf(err error) int {
	if errors.Is(err, errUsage) || errors.Is(err, worker.ErrConfig) || errors.Is(err, config.ErrConfig) {
		return exitUsage
	}
	return exitFailed
}

func rootCommand(stdout, stderr io.Writer) *cobra.Command {
	root := &cobra.Command{
		Use:           "interlockd",
		Short:         "The daemon of Interlock: it decides beforehand, watches while, and seals afterwards",
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          none,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetOut(stdout)
	root.SetErr(stderr)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return fmt.Errorf("%w: %w", errUsage, err) })
	root.AddCommand(workerCommand(stdout), devCommand(stdout, stderr), storeCommand(stdout))
	return root
}

// none wants no arguments.
func none(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	if cmd.HasSubCommands() {
		return fmt.Errorf("%w: there is no command %.60q; interlockd --help lists the commands", errUsage, args[0])
	}
	return fmt.Errorf("%w: %s takes no arguments, and %.60q is one", errUsage, cmd.Name(), args[0])
}

func workerCommand(stdout io.Writer) *cobra.Command {
	var path, roles string
	cmd := &cobra.Command{
		Use:   "worker",
		Short: "Work for a Temporal service, as control plane, step worker or both",
		Args:  none,
		RunE: func(cmd *cobra.Command, _ []string) error {
			f, err := config.Load(path)
			if err != nil {
				return err
			}
			return work(cmd.Context(), f, strings.Split(roles, ","), false, stdout)
		},
	}
	cmd.Flags().StringVarP(&path, "config", "c", config.Name, "interlock.yaml, or the folder it is in")
	cmd.Flags().StringVar(&roles, "roles", "control,steps", "what this process is: control, steps, or both")
	return cmd
}

func devCommand(stdout, stderr io.Writer) *cobra.Command {
	var path string
	var port, uiPort int
	cmd := &cobra.Command{
		Use:   "dev",
		Short: "Run a Temporal development server and all roles, until interrupted",
		Args:  none,
		RunE: func(cmd *cobra.Command, _ []string) error {
			f, err := config.Load(path)
			if err != nil {
				return err
			}
			return dev(cmd.Context(), f, port, uiPort, stdout, stderr)
		},
	}
	cmd.Flags().StringVarP(&path, "config", "c", config.Name, "interlock.yaml, or the folder it is in")
	cmd.Flags().IntVar(&port, "port", 0, "port of the Temporal server (default: the one in interlock.yaml)")
	cmd.Flags().IntVar(&uiPort, "ui-port", 8233, "port of the Temporal UI")
	return cmd
}

// dev runs everything in one command. Executions survive a restart: Temporal's
// database is beside the configuration.
func dev(ctx context.Context, f *config.File, port, uiPort int, stdout, stderr io.Writer) error {
	if port == 0 {
		var err error
		if port, err = portOf(f.Temporal.Address); err != nil {
			return err
		}
	}
	binary, err := devserver.Find(ctx, stderr)
	if err != nil {
		return err
	}
	fmt.Fprintln(stdout, "starting the Temporal development server")
	server, err := devserver.Start(ctx, devserver.Options{
		Binary: binary, Dir: f.Path("temporal"), DB: f.Path("temporal/temporal.db"),
		Namespace: f.Temporal.Namespace, Port: port, UIPort: uiPort,
	})
	if err != nil {
		return err
	}
	f.Temporal.Address, f.SearchAttributes = server.Address, true
	fmt.Fprintf(stdout, "Temporal     %s (namespace %s)\nTemporal UI  %s\n", server.Address, server.Namespace, server.UI)
	fmt.Fprintf(stdout, "try          interlock start --config %[1]s %[2]s\n             interlock start --config %[1]s %[3]s\n             interlock start --config %[1]s %[4]s\n",
		f.Dir(), f.Path("request.yaml"), f.Path("request-denied.yaml"), f.Path("request-approval.yaml"))
	fmt.Fprintln(stdout, together)
	return errors.Join(work(ctx, f, []string{"control", "steps"}, true, stdout), server.Stop())
}

// together is what dev says of the keys.
const together = "all keys are in one place, and one process can read them: for development only"

// work runs the roles until ctx is done. What is wrong with the configuration
// it finds out before it talks to anybody. Unsafe lets one process read the
// keys of every role.
func work(ctx context.Context, f *config.File, roles []string, unsafe bool, stdout io.Writer) error {
	log, err := zap.NewProduction()
	if err != nil {
		return fmt.Errorf("couldn't make a logger: %w", err)
	}
	defer func() { _ = log.Sync() }() // standard error cannot be synced everywhere
	c, err := client.NewLazyClient(client.Options{
		HostPort: f.Temporal.Address, Namespace: f.Temporal.Namespace, Logger: sdkLogger{log.Sugar()},
	})
	if err != nil {
		return fmt.Errorf("%w: temporal: %w", config.ErrConfig, err)
	}
	defer c.Close()
	wc, err := workerConfig(f, c, roles, log)
	if err != nil {
		return err
	}
	wc.TogetherUnsafe = unsafe
	w, err := worker.New(ctx, wc)
	if err != nil {
		return err
	}
	if err := reach(ctx, c); err != nil {
		err = fmt.Errorf("couldn't reach Temporal at %s: %w (is it running? for development: interlockd dev)", f.Temporal.Address, err)
		return errors.Join(err, w.Close())
	}
	fmt.Fprintf(stdout, "interlockd is working as %s; stop it with Ctrl-C\n", strings.Join(roles, " and "))
	return w.Run(ctx)
}

// dialFor is how long a server may take to answer the first call.
const dialFor = 10 * time.Second

func reach(ctx context.Context, c client.Client) error {
	ctx, cancel := context.WithTimeout(ctx, dialFor)
	defer cancel()
	_, err := c.CheckHealth(ctx, &client.CheckHealthRequest{})
	return err
}
