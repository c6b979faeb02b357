package policy

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/google/cel-go/interpreter"
)

// maxError is the length of the longest error or reason, in bytes.
const maxError = 200

var addresses = regexp.MustCompile(`0x[0-9a-f]+`)

// describe returns the text of an evaluation error in a form that is the same
// on every machine.
func describe(err error) string {
	var cancelled interpreter.EvalCancelledError
	if errors.As(err, &cancelled) {
		return fmt.Sprintf("costs more than %d", CostLimit)
	}
	if strings.HasPrefix(err.Error(), "internal error") {
		return "internal error" // a panic's text is Go's, not ours to promise
	}
	return bounded(addresses.ReplaceAllString(err.Error(), "0x…"))
}

// bounded makes text one line of at most maxError bytes, and never empty.
func bounded(text string) string {
	text = strings.Join(strings.Fields(strings.ToValidUTF8(text, "?")), " ")
	if len(text) > maxError {
		text = strings.ToValidUTF8(text[:maxError-len("…")], "") + "…"
	}
	if text == "" {
		return "unknown error"
	}
	return text
}
