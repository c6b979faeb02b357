package evidence

import (
	"fmt"
	"strings"
)

// A Does says what an order does. The zero Does and every unknown one is none,
// and cannot be signed.
type Does string

// What an order does.
const (
	// Stop stops the executions in the scope, and lets none begin, until the
	// order is undone.
	Stop Does = "stop"
	// Restore undoes an order that stops. What it has stopped stays stopped.
	Restore Does = "restore"
)

// A ScopeKind says by what executions are chosen.
type ScopeKind string

// The kinds of scope. An execution that an unknown kind is about is in it.
const (
	ScopeExecution ScopeKind = "execution" // the one with this id: a revocation
	ScopePrincipal ScopeKind = "principal" // those that this principal asked for, by key name or holder
	ScopePolicy    ScopeKind = "policy"    // those under the bundle of this name
	ScopeAction    ScopeKind = "action"    // those in whose plan this action has not ended
	ScopeKey       ScopeKind = "key"       // those with a record that the key with this id signed
	ScopeAll       ScopeKind = "all"
)

// A Scope is the executions that an order is about.
type Scope struct {
	Kind  ScopeKind `json:"kind"`
	Value string    `json:"value,omitempty"` // none for all
}

// String returns s for people, such as "principal ann".
func (s Scope) String() string {
	if s.Value == "" {
		return string(s.Kind)
	}
	return string(s.Kind) + " " + s.Value
}

// An Order is what a revoker says of many executions, or of one: that they
// stop, or that an earlier order is undone. Orders have a chain of their own
// in the evidence store; one that stopped an execution stands in its chain,
// too.
type Order struct {
	At       Time   `json:"at"`
	Audience string `json:"audience"` // domain of the trust root that it is meant for
	Revoker  string `json:"revoker"`  // name of the signing key in the trust root
	Does     Does   `json:"does"`
	Scope    Scope  `json:"scope"`
	Undoes   Digest `json:"undoes"` // record digest of the order that is undone, which has the same scope; none unless it restores
	Reason   string `json:"reason"` // one line
	Nonce    string `json:"nonce"`  // 32 hexadecimal digits
}

// Kind returns [KindOrder].
func (*Order) Kind() Kind { return KindOrder }

// When returns the time at which the revoker signed.
func (o *Order) When() Time { return o.At }

// Subject returns what the statement of o must be about: its scope.
func (o *Order) Subject() Subject {
	return Subject{Execution: "order: " + o.Scope.String(), Digest: ValueDigest([]byte(o.Scope.String()))}
}

func (o *Order) check() error {
	if err := oneOf("does", o.Does, Stop, Restore); err != nil {
		return err
	}
	if err := oneOf("scope", o.Scope.Kind, ScopeExecution, ScopePrincipal, ScopePolicy, ScopeAction, ScopeKey, ScopeAll); err != nil {
		return err
	}
	switch {
	case (o.Scope.Kind == ScopeAll) != (o.Scope.Value == ""):
		return fmt.Errorf("%w: scope %q: want a value for every kind but all", ErrField, o.Scope)
	case (o.Does == Restore) == o.Undoes.IsZero():
		return fmt.Errorf("%w: an order that restores says what it undoes, and no other does", ErrField)
	case strings.Trim(o.Reason, " ") == "":
		return fmt.Errorf("%w: no reason: say in one sentence why", ErrField)
	case o.Audience == "":
		return fmt.Errorf("%w: no audience: want the domain of the trust root", ErrField)
	case !nonceForm.MatchString(o.Nonce):
		return fmt.Errorf("%w: nonce: want 32 lower-case hexadecimal digits", ErrField)
	}
	if err := checkLine("scope", o.Scope.Value); err != nil {
		return err
	}
	return checkLine("reason", o.Reason)
}

// Check returns the code of the failed check for which an order stops an
// execution.
func (o *Order) Check() string {
	if o.Scope.Kind == ScopeExecution {
		return CauseRevoked
	}
	return CauseKilled
}

// SignOrder signs o about its scope.
func (s *Signer) SignOrder(o *Order) (Envelope, error) {
	if err := check(o); err != nil {
		return Envelope{}, err
	}
	return s.Sign(o.Subject(), o)
}

// An Ordered is an [Order] as a [Report] states it.
type Ordered struct {
	Order   Digest `json:"order"`
	Scope   Scope  `json:"scope"`
	Revoker string `json:"revoker"`
	Reason  string `json:"reason"`
	At      Time   `json:"at"`
}

func ordered(digest Digest, o *Order) *Ordered {
	return &Ordered{Order: digest, Scope: o.Scope, Revoker: o.Revoker, Reason: o.Reason, At: o.At}
}

// A Rejection is the authority's word that a message, which somebody sent to a
// running execution, was not believed and changed nothing.
type Rejection struct {
	Position
	At      Time    `json:"at"`
	Grant   Digest  `json:"grant"`
	Binding Binding `json:"binding"`
	Message Digest  `json:"message"` // [FileDigest] of the bytes that came
	Cause   string  `json:"cause"`   // stable code, such as "message.untrusted"
	Reason  string  `json:"reason"`
}

// Kind returns [KindRejection].
func (*Rejection) Kind() Kind { return KindRejection }

// When returns the time of the rejection.
func (r *Rejection) When() Time { return r.At }
