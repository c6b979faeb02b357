package executor_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/interlock-run/interlock/activities/executor"
	"github.com/interlock-run/interlock/policy/catalogue"
)

// FuzzTarget checks that arguments cannot move a request: whatever they are,
// the address is refused or has the template's shape.
func FuzzTarget(f *testing.F) {
	for _, seed := range []string{"x", "..", "../..", "%2e%2e", "a/b", "#", "?", "", "é", "\r\n", "@evil.example", `\`, "&b=1", "..;"} {
		f.Add(seed, seed)
	}
	const template = "https://shop.example:8443/v1/orders/{a}/of.{b}/end?fixed=1&a={a}&b=x{b}"
	h, err := executor.NewHTTP(&catalogue.HTTP{Method: "DELETE", URL: template, Hosts: []string{"shop.example:8443"}},
		nil, executor.HTTPOptions{Effect: catalogue.Write})
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, a, b string) {
		args, err := json.Marshal(map[string]string{"a": a, "b": b})
		require.NoError(t, err)
		p, err := h.Prepare(call(string(args)))
		if err != nil {
			requireError(t, err, executor.CauseArgument, true, true)
			return
		}
		u, err := http.NewRequest(p.Method(), p.URL(), nil)
		require.NoError(t, err)
		require.Equal(t, "shop.example:8443", u.URL.Host)
		require.Equal(t, "https", u.URL.Scheme)
		require.Empty(t, u.URL.Fragment)
		for _, path := range []string{u.URL.Path, u.URL.EscapedPath()} {
			segments := strings.Split(path, "/")
			require.Len(t, segments, 6, path)
			require.Equal(t, []string{"", "v1", "orders"}, segments[:3])
			require.True(t, strings.HasPrefix(segments[4], "of."))
			require.Equal(t, "end", segments[5])
			require.NotContains(t, []string{"", ".", ".."}, segments[3])
		}
		query := u.URL.Query()
		require.Len(t, query, 3)
		require.Equal(t, []string{"1"}, query["fixed"])
		var sent map[string]string
		require.NoError(t, json.Unmarshal(args, &sent))
		require.Equal(t, []string{sent["a"]}, query["a"])
		require.Equal(t, []string{"x" + sent["b"]}, query["b"])
	})
}
