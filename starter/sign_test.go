package starter_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/evidence/evidencetest"
	"github.com/interlock-run/interlock/starter"
)

func TestSignFillsWhatIsEmpty(t *testing.T) {
	s, r := newStarter(t), request(t)
	r.ID = ""
	signed, err := s.Sign(r)
	require.NoError(t, err)
	require.Regexp(t, `^exec-[0-9a-f]{16}$`, r.ID)
	require.Regexp(t, `^[0-9a-f]{32}$`, r.Nonce)
	require.Equal(t, evidencetest.Domain, r.Audience)
	require.Equal(t, evidencetest.Alice, r.Principal)
	require.Equal(t, evidencetest.Start, r.Issued)
	require.Equal(t, evidencetest.Start.Add(time.Hour), r.Expires)

	rec, err := evidencetest.Trust().Open(signed)
	require.NoError(t, err)
	require.Equal(t, r, rec.Predicate)

	again, err := s.Sign(r)
	require.NoError(t, err)
	require.Equal(t, signed, again, "signing again must not make another request")

	other := request(t)
	_, err = s.Sign(other)
	require.NoError(t, err)
	require.NotEqual(t, r.Nonce, other.Nonce)
}

func TestSignKeepsWhatIsGiven(t *testing.T) {
	r := evidencetest.NewRequest()
	want := *r
	_, err := newStarter(t).Sign(r)
	require.NoError(t, err)
	require.Equal(t, want, *r)
}

func TestSignRefuses(t *testing.T) {
	tests := []struct {
		name string
		edit func(*evidence.Request)
		want error
	}{
		{"no purpose", func(r *evidence.Request) { r.Purpose = "" }, evidence.ErrField},
		{"no steps", func(r *evidence.Request) { r.Steps = nil }, evidence.ErrField},
		{"args that are no JSON", func(r *evidence.Request) { r.Steps[0].Args = json.RawMessage("{") }, evidence.ErrJSON},
		{"the name of another", func(r *evidence.Request) { r.Principal = evidencetest.Bob }, evidence.ErrUntrusted},
		{"issued before the key", func(r *evidence.Request) { r.Issued = 1 }, evidence.ErrUntrusted},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := request(t)
			tt.edit(r)
			signed, err := newStarter(t).Sign(r)
			require.ErrorIs(t, err, tt.want)
			require.Empty(t, signed)
		})
	}
}

func TestSignNeedsAPrincipal(t *testing.T) {
	s := newStarter(t, func(c *starter.Config) { c.Principal = nil })
	_, err := s.Sign(request(t))
	require.ErrorIs(t, err, starter.ErrNoPrincipal)
	_, err = s.Start(t.Context(), request(t))
	require.ErrorIs(t, err, starter.ErrNoPrincipal)
}

func TestNewRefusesHoles(t *testing.T) {
	_, err := starter.New(starter.Config{})
	require.ErrorIs(t, err, starter.ErrConfig)
	for _, want := range []string{"client", "trust root", "queue"} {
		require.ErrorContains(t, err, want)
	}
	_, err = starter.NewReader(nil)
	require.ErrorIs(t, err, starter.ErrConfig)

	for _, name := range []string{evidencetest.Authority, evidencetest.Stranger} {
		_, err = starter.New(starter.Config{
			Client: temporal(t), Trust: evidencetest.Trust(), Queue: queue, Principal: evidencetest.Signer(name),
		})
		require.ErrorIs(t, err, evidence.ErrUntrusted, name)
	}
}
