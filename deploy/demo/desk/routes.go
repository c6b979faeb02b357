package desk

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// Handler serves the desk's endpoints. Every request that reaches it is in the
// access log before anything is done about it.
//
// It reads the whole body of a request before it acts, so that net/http can
// tell that a caller went away. A server for it needs a write timeout above
// [Config.PackTime], or answers are lost; [Desk.Serve] has one.
func (d *Desk) Handler() http.Handler {
	mux := http.NewServeMux()
	for pattern, e := range d.endpoints() {
		mux.Handle(pattern, d.serve(e))
	}
	return d.recorded(d.guarded(mux))
}

func (d *Desk) endpoints() map[string]endpoint {
	return map[string]endpoint{
		"GET /healthz":             d.health,
		"GET /users/{id}":          d.userByID,
		"GET /users":               d.userByEmail,
		"GET /products/{id}":       d.product,
		"GET /orders/{id}":         d.order,
		"GET /orders/{id}/weight":  d.weigh,
		"POST /orders/{id}/refund": d.refund,
		"POST /orders/{id}/cancel": d.cancel,
		"POST /orders/{id}/ship":   d.ship,
		"POST /orders/{id}/notify": d.notify,
		"GET /admin/access":        since(d.accessSince),
		"GET /admin/ledger":        since(d.ledgerSince),
		"POST /admin/fail":         d.fail,
	}
}

// guarded lets nobody through to next without the token, and nobody to where a
// failure was injected.
func (d *Desk) guarded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/healthz" && !d.authorized(r) {
			w.Header().Set("WWW-Authenticate", "Bearer")
			problem(http.StatusUnauthorized, "a valid bearer token is required").write(w)
			return
		}
		if status, ok := d.faults.hit(canonical(r.URL.Path)); ok {
			problem(status, "injected failure; nothing was done").write(w)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// authorized compares digests, so that neither the token's text nor its length
// shows in the time it takes.
func (d *Desk) authorized(r *http.Request) bool {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	got := sha256.Sum256([]byte(token))
	return ok && subtle.ConstantTimeCompare(got[:], d.token[:]) == 1
}

func (d *Desk) health(*http.Request) (answer, error) {
	return reply(http.StatusOK, map[string]string{"status": "ok"}) // its arrival was just written: the store works
}

func (d *Desk) userByID(r *http.Request) (answer, error) {
	return d.document(r.Context(), "user", r.PathValue("id"), `SELECT doc FROM users WHERE id = ?`)
}

func (d *Desk) userByEmail(r *http.Request) (answer, error) {
	email := r.URL.Query().Get("email")
	if email == "" {
		return answer{}, refuse(http.StatusBadRequest, "say whose: ?email=")
	}
	return d.document(r.Context(), "user", email, `SELECT doc FROM users WHERE email = ?`)
}

func (d *Desk) product(r *http.Request) (answer, error) {
	return d.document(r.Context(), "product", r.PathValue("id"), `SELECT doc FROM products WHERE id = ?`)
}

func (d *Desk) order(r *http.Request) (answer, error) {
	return d.document(r.Context(), "order", orderID(r), `SELECT doc FROM orders WHERE id = ?`)
}

// gramsEach is the weight of an item: a shop that is invented has no scale.
const gramsEach = 350

// weigh puts an order on the scale, which takes a while and changes nothing.
func (d *Desk) weigh(r *http.Request) (answer, error) {
	found, err := d.order(r)
	if err != nil {
		return answer{}, err
	}
	var o order
	if err := json.Unmarshal(found.body, &o); err != nil {
		return answer{}, fmt.Errorf("reading order %s: %w", orderID(r), err)
	}
	if err := d.pack(r.Context(), o.OrderID); err != nil {
		return answer{}, fmt.Errorf("weighing: %w", err)
	}
	return reply(http.StatusOK, weight{o.OrderID, gramsEach * len(o.Items)})
}

// A weight is what the scale says of an order.
type weight struct {
	OrderID string `json:"order_id"`
	Grams   int    `json:"grams"`
}

// document answers with the JSON document that query finds for id.
func (d *Desk) document(ctx context.Context, what, id, query string) (answer, error) {
	var doc string
	err := d.db.QueryRowContext(ctx, query, id).Scan(&doc)
	if errors.Is(err, sql.ErrNoRows) {
		return answer{}, refuse(http.StatusNotFound, "no %s %q", what, id)
	}
	return answer{status: http.StatusOK, body: []byte(doc + "\n")}, err
}

// orderID is the id in the path, with the '#' that it has in the data.
func orderID(r *http.Request) string {
	return "#" + strings.TrimPrefix(r.PathValue("id"), "#")
}

// since answers with the rows that read returns for ids above ?since=.
func since[T any](read func(context.Context, int64) ([]T, error)) endpoint {
	return func(r *http.Request) (answer, error) {
		id := int64(0)
		if text := r.URL.Query().Get("since"); text != "" {
			var err error
			if id, err = strconv.ParseInt(text, 10, 64); err != nil || id < 0 {
				return answer{}, refuse(http.StatusBadRequest, "since=%q is not the id of a row", text)
			}
		}
		rows, err := read(r.Context(), id)
		if err != nil {
			return answer{}, err
		}
		return reply(http.StatusOK, rows)
	}
}
