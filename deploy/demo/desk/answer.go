package desk

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"go.uber.org/zap"
)

// An answer is what a caller gets: a status and a JSON document.
type answer struct {
	status   int
	body     []byte
	replayed bool // the answer to an earlier request with the same key
}

// A refusal is the error of a request that the desk understood well enough to
// say no to. Its text is for the caller.
type refusal struct {
	status  int
	message string
}

// Error implements error.
func (r *refusal) Error() string { return r.message }

func refuse(status int, format string, args ...any) error {
	return &refusal{status: status, message: fmt.Sprintf(format, args...)}
}

// An endpoint answers a request. An error that is not a [refusal] is the desk's
// own trouble, and its text is not for the caller.
type endpoint func(r *http.Request) (answer, error)

func (d *Desk) serve(e endpoint) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		a, err := e(r)
		if err != nil {
			a = d.explain(r, err)
		}
		a.write(w)
	}
}

// explain turns an error into an answer: a refusal into its status, the end of
// the request's context into [StatusClientGone], anything else into 500.
func (d *Desk) explain(r *http.Request, err error) answer {
	if no, ok := errors.AsType[*refusal](err); ok {
		return problem(no.status, no.message)
	}
	if ctx := r.Context(); ctx.Err() != nil {
		if errors.Is(context.Cause(ctx), errStopping) {
			return problem(http.StatusServiceUnavailable, "the desk is closing; nothing was done")
		}
		return problem(StatusClientGone, "the caller went away; nothing was done")
	}
	d.log.Error("couldn't answer", zap.String("method", r.Method), zap.String("path", canonical(r.URL.Path)), zap.Error(err))
	return problem(http.StatusInternalServerError, "the desk has a problem of its own: see its log, and try again with the same key")
}

func (a answer) write(w http.ResponseWriter) {
	w.Header().Set("Content-Type", contentJSON)
	if a.replayed {
		w.Header().Set("Idempotent-Replayed", "true")
	}
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body) // the caller may be gone; there is no one to tell
}

const contentJSON = "application/json"

// reply is an answer with v as its document.
func reply(status int, v any) (answer, error) {
	body, err := json.Marshal(v)
	if err != nil {
		return answer{}, fmt.Errorf("encoding the answer: %w", err)
	}
	return answer{status: status, body: append(body, '\n')}, nil
}

// problem is an answer {"error": message}.
func problem(status int, message string) answer {
	a, err := reply(status, map[string]string{"error": message})
	if err != nil { // a string always encodes; and if not, the status says enough
		return answer{status: status, body: []byte("{}\n")}
	}
	return a
}
