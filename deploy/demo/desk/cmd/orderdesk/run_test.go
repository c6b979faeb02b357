package main

import (
	"bufio"
	"bytes"
	"context"
	"flag"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/interlock-run/interlock/deploy/demo/desk"
)

func tokenFile(t *testing.T, token string) string {
	file := filepath.Join(t.TempDir(), "token")
	require.NoError(t, os.WriteFile(file, []byte(token), 0o600))
	return file
}

func TestRun(t *testing.T) {
	db := filepath.Join(t.TempDir(), "desk.db")
	args := []string{"-db", db, "-token-file", tokenFile(t, "sesame\n"), "-pack-time", "1ms"}
	ctx, stop := context.WithCancel(t.Context())
	out, in := io.Pipe()
	done := make(chan error, 1)
	go func() {
		err := run(ctx, args, nil, in, io.Discard)
		_ = in.CloseWithError(io.EOF) // whoever waits for its first line is told
		done <- err
	}()
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	url, ok := strings.CutPrefix(strings.TrimSpace(line), "listening on ")
	require.True(t, ok, line)

	r, err := http.NewRequest(http.MethodPost, url+"/orders/%23W5500102/ship",
		strings.NewReader(`{"customer":"mia_keller_4821","carrier":"Heron Parcel"}`))
	require.NoError(t, err)
	r.Header.Set("Authorization", "Bearer sesame")
	r.Header.Set("Idempotency-Key", "s1")
	res, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	require.Equal(t, http.StatusOK, res.StatusCode)

	stop()
	require.NoError(t, <-done)
	d, err := desk.Open(t.Context(), desk.Config{Path: db, Token: "other"})
	require.NoError(t, err)
	defer d.Close()
	entries, err := d.Ledger(t.Context())
	require.NoError(t, err)
	require.Len(t, entries, 1)
}

func TestRunRefuses(t *testing.T) {
	db := filepath.Join(t.TempDir(), "desk.db")
	token := tokenFile(t, "sesame")
	tests := []struct {
		name string
		args []string
		want error // nil if any will do
	}{
		{"nothing", nil, errUsage},
		{"no token file", []string{"-db", db}, errUsage},
		{"no database", []string{"-token-file", token}, errUsage},
		{"an argument", []string{"-db", db, "-token-file", token, "now"}, errUsage},
		{"unknown flag", []string{"-verbose"}, errUsage},
		{"help", []string{"-h"}, flag.ErrHelp},
		{"token file not there", []string{"-db", db, "-token-file", token + "2"}, os.ErrNotExist},
		{"token file empty", []string{"-db", db, "-token-file", tokenFile(t, " \n")}, desk.ErrNoToken},
		{"address", []string{"-db", db, "-token-file", token, "-listen", "nowhere:port"}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var out bytes.Buffer
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // should it serve, it must end
			defer cancel()
			err := run(ctx, tt.args, nil, &out, io.Discard)
			require.Error(t, err)
			if tt.want != nil {
				require.ErrorIs(t, err, tt.want)
			}
			require.Empty(t, out.String())
		})
	}
}
