package catalogue

import (
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// An Effect says what an action can do to the outside world. The zero Effect
// and every unknown one must be treated as [Irreversible].
type Effect string

// The effects, the mildest first.
const (
	// Read changes nothing.
	Read Effect = "read"
	// Write changes something that another action can change back.
	Write Effect = "write"
	// Irreversible changes something for good.
	Irreversible Effect = "irreversible"
)

// An Action is a named thing that can be done to the outside world. Actions
// come from [Parse] and are read only; they are safe for concurrent use.
// Exactly one of HTTP, Func and Activity is set.
type Action struct {
	// Name is what requests call the action: lower-case words with dots.
	Name string
	// Description is one sentence for people.
	Description string
	// Effect is what the action can do to the outside world.
	Effect Effect
	// Idempotent means that doing the action again with the same idempotency
	// key has no effect beyond the first. False unless declared.
	Idempotent bool
	// Timeout bounds one attempt, from 1ms to 24h.
	Timeout time.Duration
	// Heartbeat is how soon a dead worker is noticed, 2s unless declared.
	Heartbeat time.Duration
	// Attempts is how often the action is tried at most, 1 unless declared.
	// It is more than 1 only if the action is idempotent or reads.
	Attempts int
	// Backoff is the wait before the second attempt; it doubles with each
	// further one. 1s unless declared.
	Backoff time.Duration
	// HTTP is how the action is done over HTTP, or nil.
	HTTP *HTTP
	// Func names the Go function that does the action, registered with the
	// worker, or is empty.
	Func string
	// Activity is the type of the Temporal activity that does the action,
	// registered with a worker behind the guard, or is empty.
	Activity string

	schema *jsonschema.Schema
}

// An HTTP says how an action is done over HTTP.
type HTTP struct {
	// Method is GET, HEAD, DELETE, POST, PUT or PATCH.
	Method string
	// URL is the template of the address: {name} stands for an argument.
	// The executor fills it in, and refuses what would lead elsewhere.
	URL string
	// Hosts are the only hosts, as host:port in lower case, that the action
	// may talk to, redirects included. The URL's own host is one of them.
	Hosts []string
	// Headers are the headers to send, in the order of their names.
	Headers []Header

	parts []part
}

// A Header is one HTTP header. Exactly one of Value and Secret is set.
type Header struct {
	// Name is in canonical form, such as "Content-Type".
	Name string
	// Value is sent as it is.
	Value string
	// Secret names a secret of the worker, which is sent after Prefix.
	Secret string
	// Prefix comes before the secret, such as "Bearer ".
	Prefix string
}
