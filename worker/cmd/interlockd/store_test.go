package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/interlock-run/interlock/evidence/store/pgtest"
)

// TestStorePrepare does what the command says, and each process then has the
// rights of its role.
func TestStorePrepare(t *testing.T) {
	owner := pgtest.Database(t)
	server := pgtest.Server(t)
	config := filepath.Join(open(t), "interlock.yaml")
	require.NoError(t, os.WriteFile(config, []byte("trust: none\nstore: "+owner+"\n"), 0o600))
	var out bytes.Buffer
	for _, args := range [][]string{{"--store", owner}, {"--config", config}} {
		out.Reset()
		require.Zero(t, run(t.Context(), append([]string{"store", "prepare"}, args...), &out, &out), out.String())
	}

	database := regexp.MustCompile(`/interlock_[0-9]+`).FindString(owner)[1:]
	for _, grant := range regexp.MustCompile(`GRANT .*;`).FindAllString(out.String(), -1) {
		who := regexp.MustCompile(`"(.*)"`).FindStringSubmatch(grant)[1]
		require.NoError(t, server.SQL(t.Context(), database, `CREATE ROLE "`+who+`" LOGIN; `+grant))
	}
	cli := cli(t)
	top := initialised(t, cli, "--apart", "--address", nobody(t))
	for role, user := range map[string]string{"control": "the user of the control planes", "steps": "the user of the step workers"} {
		dir := top + "/" + role
		edit(t, dir+"/interlock.yaml", "store: ../store/evidence.db", `store: "`+server.URL(user, database)+`"`)
		out.Reset()
		code := run(t.Context(), []string{"worker", "--config", dir, "--roles", role}, &out, &out)
		require.Equal(t, exitFailed, code, out.String())
		require.Contains(t, out.String(), "couldn't reach Temporal", "the store was fine")
		require.NoDirExists(t, dir+"/postgres:", "a URL is no path")
	}
}

// TestStorePrepareRefuses has a row for each way to ask for it wrongly.
func TestStorePrepareRefuses(t *testing.T) {
	away := "postgres://interlock@/none?host=" + t.TempDir()
	tests := []struct {
		name string
		args []string
		code int
		want string
	}{
		{"a file", []string{"--store", "evidence.db"}, exitUsage, "the store is a file"},
		{"a password", []string{"--store", "postgres://u:hunter2@h/d"}, exitUsage, "PGPASSFILE"},
		{"no configuration", []string{"--config", t.TempDir() + "/gone"}, exitUsage, "interlock init"},
		{"nobody there", []string{"--store", away}, exitFailed, "unavailable"},
		{"an argument", []string{"now"}, exitUsage, "takes no arguments"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var out bytes.Buffer
			require.Equal(t, tt.code, run(t.Context(), append([]string{"store", "prepare"}, tt.args...), &out, &out), out.String())
			require.Contains(t, out.String(), tt.want)
			require.False(t, strings.Contains(out.String(), "hunter2"))
		})
	}
}
