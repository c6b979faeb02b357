package main

import (
	"fmt"
	"io"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// The output formats.
const (
	formatText = "text"
	formatJSON = "json"
)

// An app is one run of the program.
type app struct {
	env      func(string) string
	in       io.Reader
	out, err io.Writer
	format   string
	config   string // path, as given
}

// json reports whether output is for programs.
func (a *app) json() bool { return a.format == formatJSON }

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "interlock",
		Short: "Ask for governed executions, approve, watch and stop them, and check the proof of what happened",
		Long: `Interlock governs what autonomous software does: nothing runs before it is
authorized, every action is decided by policy before it happens, and what
happened can be proven afterwards.

Exit codes:
   0  completed, or verified          10  denied        20  verify: not authentic
   1  could not do it                 11  halted        21  verify: not complete
   2  wrong usage or configuration    12  failed        22  verify: not governed
                                      13  unresolved
                                      14  cancelled`,
		Version:       version(),
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          cobra.ArbitraryArgs,
		RunE:          group,
		PersistentPreRunE: func(*cobra.Command, []string) error {
			if a.format != formatText && a.format != formatJSON {
				wrong := a.format
				a.format = formatText
				return usage("--output %q: want text or json", wrong)
			}
			return nil
		},
	}
	root.SetOut(a.out)
	root.SetErr(a.err)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usage("%w", err) })
	root.PersistentFlags().StringVarP(&a.format, "output", "o", formatText, "output format: text or json")
	root.AddCommand(a.initCommand(), a.startCommand(), a.watchCommand(), a.statusCommand(),
		a.pendingCommand(), a.approveCommand(), a.refuseCommand(),
		a.revokeCommand(), a.killCommand(), a.restoreCommand(), a.ordersCommand(),
		a.resolveCommand(), a.keysCommand(), a.proofCommand(), a.historyCommand(), a.verifyCommand(), a.policyCommand())
	return root
}

// group is what a command does that only has commands below it.
func group(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return withHint(usage("there is no command %.60q", args[0]), cmd.CommandPath()+" --help lists the commands")
	}
	return cmd.Help()
}

// exactly wants so many arguments, named for people.
func exactly(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) < len(names):
			return usage("%s: %s is missing; usage: %s", cmd.Name(), names[len(args)], cmd.UseLine())
		case len(args) > len(names):
			return usage("%s: %.60q is one argument too many; usage: %s", cmd.Name(), args[len(names)], cmd.UseLine())
		}
		for i, arg := range args {
			if arg == "" {
				return usage("%s: %s is empty; usage: %s", cmd.Name(), names[i], cmd.UseLine())
			}
		}
		return nil
	}
}

func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "(devel)"
	}
	return fmt.Sprintf("%s %s", info.Main.Version, info.GoVersion)
}
