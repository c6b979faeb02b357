package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/interlock-run/interlock/starter"
)

// saveFlags are the flags of the commands that write a file.
type saveFlags struct {
	out   string
	force bool
	run   string
}

func (f *saveFlags) add(cmd *cobra.Command, standard string) {
	cmd.Flags().StringVar(&f.out, "out", "", "file to write, or - for standard output (default: "+standard+")")
	cmd.Flags().BoolVar(&f.force, "force", false, "replace the file if it is there")
}

func (a *app) proofCommand() *cobra.Command {
	var f saveFlags
	cmd := &cobra.Command{
		Use:   "proof ID",
		Short: "Write the proof of an execution to a file",
		Long: `Writes the proof of an execution: one file with everything that is needed to
check it offline, save the trust root. The proof is not checked here: hand it
to interlock verify. A control plane worker must be running.`,
		Args: exactly("ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.save(cmd.Context(), f, args[0], ".proof.json", func(ctx context.Context, r *starter.Reader) ([]byte, error) {
				proof, err := r.Proof(ctx, args[0])
				if err != nil {
					return nil, err
				}
				return proof.Encode()
			})
		},
	}
	a.configFlag(cmd)
	f.add(cmd, "ID.proof.json")
	return cmd
}

func (a *app) historyCommand() *cobra.Command {
	var f saveFlags
	cmd := &cobra.Command{
		Use:   "history ID",
		Short: "Write the Temporal history of an execution to a file",
		Long: `Writes the Temporal history of an execution as JSON, as temporal workflow show
writes it and a workflow replayer reads it.`,
		Args: exactly("ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.save(cmd.Context(), f, args[0], ".history.json", func(ctx context.Context, r *starter.Reader) ([]byte, error) {
				return r.History(ctx, args[0], f.run)
			})
		},
	}
	a.configFlag(cmd)
	f.add(cmd, "ID.history.json")
	cmd.Flags().StringVar(&f.run, "run", "", "id of the run (default: the newest)")
	return cmd
}

// save gets something of an execution and writes it.
func (a *app) save(ctx context.Context, f saveFlags, id, ending string, get func(context.Context, *starter.Reader) ([]byte, error)) error {
	if f.out == "" {
		f.out = fileName(id) + ending
	}
	if err := vacant(f.out, f.force); err != nil {
		return err
	}
	s, err := a.connect(ctx)
	if err != nil {
		return err
	}
	defer s.client.Close()
	data, err := get(ctx, s.Reader)
	if err != nil {
		return err
	}
	if f.out == "-" {
		_, err := a.out.Write(data)
		return err
	}
	if err := writeFile(f.out, data, f.force); err != nil {
		return err
	}
	return a.saved(f.out, len(data), s)
}

func (a *app) saved(path string, size int, s *session) error {
	if a.json() {
		a.encode(a.out, struct {
			File  string `json:"file"`
			Bytes int    `json:"bytes"`
		}{path, size})
		return nil
	}
	a.rows(row{"wrote", fmt.Sprintf("%s, %d bytes", path, size)})
	if strings.HasSuffix(path, ".proof.json") {
		a.rows(row{"check it", "interlock verify " + path + " --trust " + s.file.Path(s.file.Trust)})
	}
	return nil
}

// fileName makes a file name of an id, which may hold : and /.
func fileName(id string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-', r == '_', r == '.', r == '@', r == '+':
			return r
		}
		return '_'
	}, strings.TrimLeft(id, ".-"))
}
