package desk

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

func (s *shop) inject(prefix string, status, times int) {
	s.t.Helper()
	got := s.post("/admin/fail", "", fmt.Sprintf(`{"path_prefix":%q,"status":%d,"times":%d}`, prefix, status, times))
	require.Equal(s.t, 200, got.status, got.body)
}

func TestInjectedFailures(t *testing.T) {
	s := newShop(t)
	s.inject("/orders/#W5500101", 503, 2)
	for range 2 {
		require.Equal(t, 503, s.post(refundPath, "k1", refundBody).status)
		require.Empty(t, s.ledger())
	}
	require.Equal(t, 200, s.post(refundPath, "k1", refundBody).status, "a failure that did nothing is not the key's answer")

	s.inject("/orders/", 500, forever)
	for range 5 {
		require.Equal(t, 500, s.post(refundPath, "k2", refundBody).status)
	}
	require.Equal(t, 200, s.call("GET", "/users/"+mia, "", "").status)
	require.Equal(t, 500, s.call("GET", "/orders/W5500101", "", "").status)
	s.requireLast("/orders/W5500101", 500)

	s.inject("/orders/", 500, 0)
	require.Equal(t, 200, s.call("GET", "/orders/W5500101", "", "").status)
	require.Len(t, s.ledger(), 1)
}

func TestLatestFailureCounts(t *testing.T) {
	s := newShop(t)
	s.inject("/users", 500, forever)
	s.inject("/users", 502, 1)
	require.Equal(t, 502, s.call("GET", "/users/"+mia, "", "").status)
	require.Equal(t, 200, s.call("GET", "/users/"+mia, "", "").status)
}

// TestFailureEverywhereCanBeTakenBack: "/" spares health and administration.
func TestFailureEverywhereCanBeTakenBack(t *testing.T) {
	s := newShop(t)
	s.inject("/", 500, forever)
	require.Equal(t, 500, s.call("GET", "/users/"+mia, "", "").status)
	require.Equal(t, 200, s.call("GET", "/healthz", "", "").status)
	s.inject("/", 500, 0)
	require.Equal(t, 200, s.call("GET", "/users/"+mia, "", "").status)
}

func TestFailuresThatAreNone(t *testing.T) {
	s := newShop(t)
	for _, body := range []string{
		`{"path_prefix":"","status":500,"times":1}`,
		`{"path_prefix":"orders","status":500,"times":1}`,
		`{"path_prefix":"/orders","status":200,"times":1}`,
		`{"path_prefix":"/orders","status":600,"times":1}`,
		`{"path_prefix":"/orders","status":500,"times":-2}`,
		`{"path_prefix":"/orders","status":500}`,
		`{"path_prefix":"/orders","status":500,"times":1,"method":"GET"}`,
	} {
		require.Equal(t, 400, s.post("/admin/fail", "", body).status, body)
	}
	require.Equal(t, 200, s.call("GET", "/orders/W5500101", "", "").status)
}
