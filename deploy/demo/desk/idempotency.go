package desk

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"sync"
)

const (
	keyHeader = "Idempotency-Key"
	maxKey    = 255 // bytes
)

// A change is a request to change an order, once.
type change struct {
	key     string // the caller's name for this request
	request []byte // digest of what was asked: the same key must ask the same
	orderID string
	as      string // the customer it is done for, who must own the order
	kind    string
	packs   bool // takes time before anything of it happens
	apply   effect
}

// newChange reads the parts of a change that come with every request.
func newChange(r *http.Request, kind string, body []byte) (change, error) {
	keys := r.Header.Values(keyHeader)
	if len(keys) != 1 || keys[0] == "" || len(keys[0]) > maxKey || !printable(keys[0]) {
		return change{}, refuse(http.StatusBadRequest,
			"one %s header of 1 to %d printable characters is required", keyHeader, maxKey)
	}
	h := sha256.New()
	fmt.Fprintf(h, "%s %q ", r.Method, canonical(r.URL.Path)) // quoted: the body cannot pretend to be path
	h.Write(body)
	return change{key: keys[0], request: h.Sum(nil), orderID: orderID(r), kind: kind}, nil
}

// perform makes a change, or repeats the answer of the request that did. Twins
// wait for each other. Those in another process do not: there, the database
// lets only one commit, and the others find its answer.
func (d *Desk) perform(ctx context.Context, c change) (answer, error) {
	unlock, err := d.keys.lock(ctx, c.key)
	if err != nil {
		return answer{}, err
	}
	defer unlock()
	if c.packs {
		// A rehearsal, so that what must be refused is refused at once.
		if a, err := d.attempt(ctx, c, true); err != nil || a.replayed || a.status != http.StatusOK {
			return a, err
		}
		if err := d.pack(ctx, c.orderID); err != nil {
			return answer{}, fmt.Errorf("packing: %w", err)
		}
	}
	return d.attempt(ctx, c, false)
}

// errRehearsed rolls a rehearsal back.
var errRehearsed = errors.New("this was a rehearsal")

// attempt makes c in one transaction: the order, the ledger and the answer, or
// none of them. A rehearsal keeps nothing but refusals.
func (d *Desk) attempt(ctx context.Context, c change, rehearsal bool) (answer, error) {
	var a answer
	err := inTx(ctx, d.db, func(tx *sql.Tx) (err error) {
		if a, err = stored(ctx, tx, c); err != nil || a.replayed {
			return err
		}
		if a, err = c.commit(ctx, tx); err != nil {
			return err
		}
		if rehearsal && a.status == http.StatusOK {
			return errRehearsed
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO answers (idempotency_key, request, status, body) VALUES (?, ?, ?, ?)`,
			c.key, c.request, a.status, a.body)
		return err
	})
	if err != nil && !errors.Is(err, errRehearsed) {
		return answer{}, err
	}
	return a, nil
}

// stored returns the answer that c's key already has, if it has one.
func stored(ctx context.Context, tx *sql.Tx, c change) (answer, error) {
	var request []byte
	a := answer{replayed: true}
	err := tx.QueryRowContext(ctx, `SELECT request, status, body FROM answers WHERE idempotency_key = ?`, c.key).
		Scan(&request, &a.status, &a.body)
	if errors.Is(err, sql.ErrNoRows) {
		return answer{}, nil
	}
	if err != nil {
		return answer{}, fmt.Errorf("looking up the idempotency key: %w", err)
	}
	if string(request) != string(c.request) {
		return answer{}, refuse(http.StatusUnprocessableEntity, "this idempotency key was used for another request")
	}
	return a, nil
}

// keyLocks lets one request with a key act at a time.
type keyLocks struct {
	mu   sync.Mutex // guards held, for moments
	held map[string]chan struct{}
}

// lock waits until nobody holds key. The caller must call unlock.
func (k *keyLocks) lock(ctx context.Context, key string) (unlock func(), err error) {
	for {
		busy := k.take(key)
		if busy == nil {
			return func() { k.release(key) }, nil
		}
		select {
		case <-busy:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// take takes key, or returns a channel that is closed when it is free.
func (k *keyLocks) take(key string) (busy <-chan struct{}) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if free, ok := k.held[key]; ok {
		return free
	}
	if k.held == nil {
		k.held = map[string]chan struct{}{}
	}
	k.held[key] = make(chan struct{})
	return nil
}

func (k *keyLocks) release(key string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	close(k.held[key])
	delete(k.held, key)
}
