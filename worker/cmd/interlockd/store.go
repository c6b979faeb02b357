package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/interlock-run/interlock/evidence/store"
	"github.com/interlock-run/interlock/worker/config"
)

func storeCommand(stdout io.Writer) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "store",
		Short: "Look after the evidence store",
		Args:  none,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(prepareCommand(stdout))
	return cmd
}

func prepareCommand(stdout io.Writer) *cobra.Command {
	var path, target string
	cmd := &cobra.Command{
		Use:   "prepare",
		Short: "Make a PostgreSQL database an evidence store, or bring it up to date, as its owner",
		Args:  none,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if target == "" {
				f, err := config.Load(path)
				if err != nil {
					return err
				}
				target = f.StoreTarget()
			}
			return prepare(cmd.Context(), target, stdout)
		},
	}
	cmd.Flags().StringVarP(&path, "config", "c", config.Name, "interlock.yaml that names the store, or the folder it is in")
	cmd.Flags().StringVar(&target, "store", "", "URL of the store, with the user who owns it (instead of the one in interlock.yaml)")
	return cmd
}

// grants are printed: only the administrator knows the users.
const grants = `the evidence store is ready. Give each process the rights of its role, and no more:

  GRANT %s TO "the user of the control planes";
  GRANT %s TO "the user of the step workers";
  GRANT %s TO "the user of whoever only reads";

None of these users should own the database, or be a superuser: owners can drop the triggers that keep evidence as it is.
`

// prepare can be run again at any time, and changes nothing then.
func prepare(ctx context.Context, target string, stdout io.Writer) error {
	if err := config.CheckStore(target); err != nil {
		return err
	}
	if !config.IsURL(target) {
		return fmt.Errorf("%w: the store is a file, which is made when a worker opens it; only a PostgreSQL database is prepared (--store postgres://…)", errUsage)
	}
	err := store.Prepare(ctx, target)
	if errors.Is(err, store.ErrVersion) {
		return fmt.Errorf("%w: %w", config.ErrConfig, err)
	}
	if err == nil {
		fmt.Fprintf(stdout, grants, store.GroupControl, store.GroupSteps, store.GroupReader)
	}
	return err
}
