package desk

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"go.uber.org/zap"
)

// noteTime bounds writing a row of the access log, which is done even for
// callers who are gone.
const noteTime = 30 * time.Second

// recorded writes every request down: its arrival before next sees it, its
// status before the caller does. A request that cannot be written down is not
// served. The answer is buffered, so that a caller who has one finds its status
// in the log.
func (d *Desk) recorded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, err := d.noteArrival(r)
		if err != nil {
			d.log.Error("couldn't log a request, so it was not served", zap.Error(err))
			problem(http.StatusServiceUnavailable, "the desk cannot write its access log; nothing was done").write(w)
			return
		}
		b := &buffer{header: w.Header(), status: http.StatusOK}
		next.ServeHTTP(b, r)
		b.ensureJSON()
		if err := d.noteStatus(r, id, b.status); err != nil {
			// What was done is done: the caller gets the answer, the row keeps 0.
			d.log.Error("couldn't log a status", zap.Int64("access", id), zap.Int("status", b.status), zap.Error(err))
		}
		w.WriteHeader(b.status)
		_, _ = w.Write(b.body.Bytes()) // the caller may be gone; there is no one to tell
	})
}

func (d *Desk) noteArrival(r *http.Request) (int64, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), noteTime)
	defer cancel()
	res, err := d.db.ExecContext(ctx,
		`INSERT INTO access_log (at, method, path, idempotency_key, caller) VALUES (?, ?, ?, ?, ?)`,
		now(), r.Method, canonical(r.URL.Path), strings.Join(r.Header.Values(keyHeader), ", "), caller(r))
	if err != nil {
		return 0, fmt.Errorf("writing the access log: %w", err)
	}
	return res.LastInsertId()
}

func (d *Desk) noteStatus(r *http.Request, id int64, status int) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), noteTime)
	defer cancel()
	_, err := d.db.ExecContext(ctx, `INSERT INTO access_status (access_id, status) VALUES (?, ?)`, id, status)
	return err
}

// caller is who asks, as far as can be told: everyone has the same token.
func caller(r *http.Request) string {
	return strings.TrimSpace(r.RemoteAddr + " " + r.UserAgent())
}

// canonical is the path by which a request is logged, matched and compared:
// decoded, and with order ids without their '#', so that the two ways to write
// an order's path are one.
func canonical(path string) string {
	if rest, ok := strings.CutPrefix(path, ordersPrefix+"#"); ok {
		return ordersPrefix + rest
	}
	return path
}

const ordersPrefix = "/orders/"

// A buffer keeps an answer until its status is in the log.
type buffer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

// Header implements [http.ResponseWriter].
func (b *buffer) Header() http.Header { return b.header }

// WriteHeader implements [http.ResponseWriter].
func (b *buffer) WriteHeader(status int) { b.status = status }

// Write implements [http.ResponseWriter].
func (b *buffer) Write(p []byte) (int, error) { return b.body.Write(p) }

// ensureJSON rewrites the plain-text errors of [http.ServeMux] (not found,
// method not allowed) in the form of all other errors.
func (b *buffer) ensureJSON() {
	if b.status < http.StatusBadRequest || b.header.Get("Content-Type") == contentJSON {
		return
	}
	a := problem(b.status, strings.ToLower(strings.TrimSpace(b.body.String())))
	b.body.Reset()
	a.write(b)
}
