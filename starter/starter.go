package starter

import (
	"errors"
	"fmt"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"

	"github.com/interlock-run/interlock/evidence"
)

// The errors of this package, besides those for verdicts.
var (
	// ErrConfig means that a [Config] lacks something.
	ErrConfig = errors.New("incomplete configuration")
	// ErrNoPrincipal means that a request was to be signed by a starter that
	// has no principal's key.
	ErrNoPrincipal = errors.New("no principal's key to sign with")
	// ErrOtherRequest means that the id belongs to an execution of another
	// request, which is left alone.
	ErrOtherRequest = errors.New("the id belongs to another request")
	// ErrForgedReceipt means that an execution ended with a receipt that its
	// recorder did not seal for this request and this run, or that contradicts
	// its seal. Nothing is known about what happened: treat it as refused, and
	// look.
	ErrForgedReceipt = errors.New("receipt is not to be believed")
	// ErrNoReceipt means that an execution ended without a receipt: it was
	// terminated, timed out, or could not be sealed. Treat it as refused, and
	// look.
	ErrNoReceipt = errors.New("execution ended without a receipt")
	// ErrNotFound means that there is no governed execution with this id.
	ErrNotFound = errors.New("no such execution")
	// ErrNotSealed means that an execution has no proof yet.
	ErrNotSealed = errors.New("execution is not sealed yet")
	// ErrUnanswered means that no control plane worker answered a query. One
	// must be running, even when the execution has ended.
	ErrUnanswered = errors.New("no control plane worker answered")
)

// Config holds what [New] needs.
type Config struct {
	// Client is a client of the Temporal namespace of the control plane. The
	// caller closes it. Required.
	Client client.Client
	// Trust is the trust root: what receipts are believed by. Required. A
	// starter that lives long moves it along itself: see [evidence.Trust.Advance].
	Trust *evidence.Trust
	// Queue is the task queue of the control plane. Required.
	Queue string
	// Principal signs requests; its key must be a principal's in Trust.
	// Without it only requests that were signed elsewhere can be submitted.
	Principal *evidence.Signer
	// Operator signs resolutions; its key must be an operator's in Trust.
	// Without it nothing can be resolved.
	Operator *evidence.Signer
	// Approver signs approvals and refusals; its key must be an approver's in
	// Trust. Without it only what was signed elsewhere can be submitted.
	Approver *evidence.Signer
	// Revoker signs orders that stop executions, and those that undo them; its
	// key must be a revoker's in Trust. Without it only what was signed
	// elsewhere can be given.
	Revoker *evidence.Signer
	// Namespace is the Temporal namespace of Client. What waits for approval is
	// shown only if it is bound to it. Without it, whoever shows a [Waiting]
	// must show its namespace.
	Namespace string
	// Converter is the data converter of Client, if that has one of its own.
	Converter converter.DataConverter
	// Now is the clock; time.Now by default.
	Now func() time.Time
}

// A Starter starts governed executions. It is safe for concurrent use.
type Starter struct {
	*Reader
	c        Config
	name     string       // of the principal; empty without a key
	operator string       // name of the operator; empty without a key
	approver evidence.Key // none without a key
	revoker  string       // name of the revoker; empty without a key
}

// New returns a starter that uses c, or [ErrConfig] with everything that is
// missing. It fails with [evidence.ErrUntrusted] if one of its keys does not have
// its role in the trust root now.
func New(c Config) (*Starter, error) {
	if c.Now == nil {
		c.Now = time.Now
	}
	err := errors.Join(
		missing(c.Client == nil, "a Temporal client"),
		missing(c.Trust == nil, "a trust root"),
		missing(c.Queue == "", "the task queue of the control plane"),
	)
	if err != nil {
		return nil, err
	}
	s := &Starter{Reader: newReader(c.Client, c.Converter), c: c}
	s.trust = c.Trust
	if s.name, err = c.nameOf(c.Principal, evidence.RolePrincipal); err != nil {
		return nil, err
	}
	if s.operator, err = c.nameOf(c.Operator, evidence.RoleOperator); err != nil {
		return nil, err
	}
	if s.approver, err = c.keyOf(c.Approver, evidence.RoleApprover); err != nil {
		return nil, err
	}
	if s.revoker, err = c.nameOf(c.Revoker, evidence.RoleRevoker); err != nil {
		return nil, err
	}
	return s, nil
}

// nameOf returns the name of a signer's key in the trust root, or "" without a
// signer.
func (c *Config) nameOf(signer *evidence.Signer, role evidence.Role) (string, error) {
	key, err := c.keyOf(signer, role)
	return key.Name, err
}

// keyOf returns a signer's key in the trust root, or none without a signer.
func (c *Config) keyOf(signer *evidence.Signer, role evidence.Role) (evidence.Key, error) {
	if signer == nil {
		return evidence.Key{}, nil
	}
	key, err := c.Trust.KeyNow(signer.KeyID(), role, evidence.TimeOf(c.Now()))
	if err != nil {
		return evidence.Key{}, fmt.Errorf("the %s's key: %w", role, err)
	}
	return key, nil
}

func missing(is bool, what string) error {
	if is {
		return fmt.Errorf("%w: %s is missing", ErrConfig, what)
	}
	return nil
}
