package executor_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/interlock-run/interlock/activities/executor"
	"github.com/interlock-run/interlock/policy/catalogue"
)

// TestHTTPRedirects leads requests astray. The other server must hear nothing
// at all, not even when the catalogue names it: the headers are not for it.
func TestHTTPRedirects(t *testing.T) {
	const away = "away"
	tests := []struct {
		name, method string
		status       int
		location     string // away stands for the other server
		want         int    // requests at the first server
		followed     bool
	}{
		{"read, same host", "GET", 302, "/b", 2, true},
		{"read, same host, whole address", "GET", 307, "http://HOST/b", 2, true},
		{"head, same host", "HEAD", 308, "/b", 2, true},
		{"read, another host", "GET", 302, away, 1, false},
		{"read, another host by two slashes", "GET", 302, "//" + away, 1, false},
		{"read, another scheme", "GET", 302, "https://HOST/b", 1, false},
		{"read, with a user", "GET", 302, "http://me:pw@HOST/b", 1, false},
		{"read, nowhere", "GET", 302, "", 1, false},
		{"read, not an address", "GET", 302, "http://[", 1, false},
		{"read, in a circle", "GET", 302, "/a", 6, false},
		{"read, not modified", "GET", 304, "", 1, false},
		{"write, same host", "POST", 302, "/b", 1, false},
		{"write, same host, again", "POST", 307, "/b", 1, false},
		{"write, same host, for good", "PUT", 308, "/b", 1, false},
		{"write, see other", "DELETE", 303, "/b", 1, false},
		{"write, another host", "POST", 307, away, 1, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			other := record(t, says(200, `"other"`))
			server := record(t, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/b" {
					says(200, `"moved"`)(w, r)
					return
				}
				location := strings.NewReplacer("//away", "//"+other.host(), away, other.URL, "HOST", r.Host).Replace(tt.location)
				w.Header().Set("Location", location)
				w.WriteHeader(tt.status)
			})
			h := newHTTP(t, spec(tt.method, server.URL+"/a", server.host(), other.host()))
			result, err := h.Execute(context.Background(), call(`{}`))
			require.Empty(t, other.requests())
			require.Len(t, server.requests(), tt.want)
			if !tt.followed {
				requireError(t, err, executor.CauseRedirect, tt.method == "GET", true)
				return
			}
			require.NoError(t, err)
			require.Equal(t, tt.method == "GET", string(result) == `"moved"`)
			require.Equal(t, "Bearer "+token, server.requests()[1].Header.Get("Authorization"))
		})
	}
}

// TestHTTPBadlyDeclared has a GET that changes something. What the catalogue
// says of the effect counts, not what the method promises.
func TestHTTPBadlyDeclared(t *testing.T) {
	server := record(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/b", http.StatusFound) })
	for _, effect := range []catalogue.Effect{catalogue.Write, catalogue.Irreversible} {
		h, err := executor.NewHTTP(spec("GET", server.URL+"/a", server.host()), secrets, executor.HTTPOptions{Effect: effect})
		require.NoError(t, err)
		_, err = h.Execute(context.Background(), call(`{}`))
		requireError(t, err, executor.CauseRedirect, false, true)
	}
	require.Len(t, server.requests(), 2)
}

// TestHTTPIgnoresProxies runs itself again with every variable set that names
// a proxy: net/http reads them once in a process.
func TestHTTPIgnoresProxies(t *testing.T) {
	if proxy := os.Getenv("TEST_BEHIND_PROXY"); proxy != "" {
		// Not a loopback name: net/http never uses a proxy for those. The proxy
		// is a named host, so that the dialer would not stop this.
		h := newHTTP(t, spec("POST", "http://shop.invalid/a", "shop.invalid:80", proxy))
		_, err := h.Execute(context.Background(), call(`{}`))
		require.Error(t, err)
		return
	}
	proxy := record(t, says(200, `"proxy"`))
	again := exec.Command(os.Args[0], "-test.run=^TestHTTPIgnoresProxies$")
	again.Env = append(os.Environ(), "TEST_BEHIND_PROXY="+proxy.host())
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"} {
		again.Env = append(again.Env, name+"="+proxy.URL)
	}
	again.Env = append(again.Env, "NO_PROXY=", "no_proxy=")
	out, err := again.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Empty(t, proxy.requests())
}

func TestHTTPStatus(t *testing.T) {
	tests := []struct {
		status              int
		attempt             int32
		noEffect, permanent bool // of a write
	}{
		{400, 1, true, true}, {401, 1, true, true}, {403, 1, true, true}, {404, 1, true, true}, {422, 1, true, true},
		{409, 1, true, true}, {409, 2, false, false},
		{408, 1, false, false}, {429, 1, false, false},
		{500, 1, false, false}, {502, 1, false, false}, {503, 1, false, false}, {504, 1, false, false}, {599, 1, false, false},
		{700, 1, false, false},
	}
	for _, tt := range tests {
		for _, method := range []string{"GET", "POST", "PUT", "PATCH", "DELETE"} {
			t.Run(fmt.Sprintf("%s %d attempt %d", method, tt.status, tt.attempt), func(t *testing.T) {
				server := record(t, says(tt.status, `{"echo":"`+token+`"}`))
				c := call(`{}`)
				c.Attempt = tt.attempt
				_, err := newHTTP(t, spec(method, server.URL, server.host())).Execute(context.Background(), c)
				requireError(t, err, fmt.Sprintf("http.%d", tt.status), tt.noEffect || method == "GET", tt.permanent)
				require.Len(t, server.requests(), 1)
			})
		}
	}
}
