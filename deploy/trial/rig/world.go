package rig

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"time"

	"github.com/interlock-run/interlock/deploy/demo/desk"
)

const (
	keyHeader = "Idempotency-Key"
	letters   = "/letters/" // the path of the service that knows no keys
	keyMark   = "~"         // between a key and the number of the letter
	maxBody   = 1 << 20     // bytes of a request
)

// A Call is one request to the outside world.
type Call struct {
	Key  string // the idempotency key, as it was sent
	Path string
	N    int // how many calls with this key there have been, this one included
}

// Letter reports whether the call orders a letter.
func (c Call) Letter() bool { return strings.HasPrefix(c.Path, letters) }

// A Before is told of a call before anything of it is done. If it returns an
// error nothing ever is, and the connection is dropped. ctx ends when the
// caller hangs up.
type Before func(ctx context.Context, c Call) error

// An After is told of a call that was done, before it is answered.
type After func(c Call)

// A World is the outside world: the order desk, and behind it somebody who
// posts a letter for every call. It is harsher than most: what has arrived is
// done, whether or not the caller still waits.
type World struct {
	Address string // host:port

	desk   *desk.Desk
	next   http.Handler // the desk's
	server *http.Server
	served chan error

	mu     sync.Mutex // guards all below, for moments
	before Before
	after  After
	count  map[string]int // calls by key
	calls  []Arrival
}

func openWorld(ctx context.Context, path, token string) (*World, error) {
	d, err := desk.Open(ctx, desk.Config{Path: path, Token: token})
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, errors.Join(fmt.Errorf("couldn't listen for the world: %w", err), d.Close())
	}
	w := &World{
		Address: l.Addr().String(), desk: d, next: d.Handler(),
		served: make(chan error, 1), count: map[string]int{},
	}
	w.server = &http.Server{Handler: w, ReadHeaderTimeout: 10 * time.Second}
	go func() { w.served <- w.server.Serve(l) }()
	return w, nil
}

// Meet sets what is told of calls from now on. Either may be nil.
func (w *World) Meet(before Before, after After) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.before, w.after = before, after
}

// Settle waits until no call is being served, and takes no more. The books can
// still be read.
func (w *World) Settle() error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := w.server.Shutdown(ctx); err != nil {
		return fmt.Errorf("calls are still being served: %w", err)
	}
	return nil
}

// Close ends the world, with whatever is being done in it.
func (w *World) Close() error {
	err := w.server.Close()
	<-w.served
	return errors.Join(err, w.desk.Close())
}

// ServeHTTP implements [http.Handler].
func (w *World) ServeHTTP(out http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(out, r.Body, maxBody))
	if err != nil {
		panic(http.ErrAbortHandler) // it hung up while sending
	}
	c, place, before, after := w.note(r)
	if before != nil && before(r.Context(), c) != nil {
		panic(http.ErrAbortHandler)
	}
	answer := httptest.NewRecorder()
	w.next.ServeHTTP(answer, forward(r, c, body))
	w.answered(place, answer.Code)
	if after != nil {
		after(c)
	}
	for name, values := range answer.Header() {
		out.Header()[name] = values
	}
	out.WriteHeader(answer.Code)
	_, _ = out.Write(answer.Body.Bytes()) // the caller may be gone; there is no one to tell
}

// note writes a call down as it arrives, before anything is done about it.
func (w *World) note(r *http.Request) (c Call, place int, before Before, after After) {
	w.mu.Lock()
	defer w.mu.Unlock()
	key := r.Header.Get(keyHeader)
	w.count[key]++
	w.calls = append(w.calls, Arrival{Key: key, What: r.Method + " " + r.URL.Path, At: time.Now()})
	return Call{Key: key, Path: r.URL.Path, N: w.count[key]}, len(w.calls) - 1, w.before, w.after
}

func (w *World) answered(place, status int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls[place].Status = status
}

// forward is the request as the desk gets it. Each letter has a key of its own
// there, so that each counts.
func forward(r *http.Request, c Call, body []byte) *http.Request {
	r = r.Clone(context.WithoutCancel(r.Context()))
	r.Body = io.NopCloser(bytes.NewReader(body))
	if c.Letter() {
		r.URL.Path = "/orders/" + strings.TrimPrefix(c.Path, letters) + "/notify"
		r.Header.Set(keyHeader, fmt.Sprintf("%s%s%d", c.Key, keyMark, c.N))
	}
	return r
}
