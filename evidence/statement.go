package evidence

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// statementType is the type of an in-toto Statement v1
// (https://in-toto.io/Statement/v1).
const statementType = "https://in-toto.io/Statement/v1"

const (
	predicatePrefix = "https://interlock.run/evidence/"
	predicateSuffix = "/v1"
)

// ErrStatement means that a payload is not a statement that FORMAT.md allows.
var ErrStatement = errors.New("malformed statement")

// A Subject says what a statement is about: the plan of a request, by the
// [ValueDigest] of its steps; or, for every other record, the request, by the
// record digest under which it was presented. Execution is the workflow id.
type Subject struct {
	Execution string
	Digest    Digest
}

// A Record is an envelope together with what it says. A Record from
// [Envelope.Decode] is not verified; one from [Trust.Open] is.
type Record struct {
	Envelope  Envelope
	Digest    Digest // record digest
	Subject   Subject
	Predicate Predicate
	// Holder is whose key signed it, by [Key.Holder]; unverified, it is the
	// name that the record claims, if it claims one.
	Holder string
}

// Kind returns the kind of r.
func (r *Record) Kind() Kind { return r.Predicate.Kind() }

// statement is the JSON form of an in-toto Statement v1 with one subject.
type statement struct {
	Type          string          `json:"_type"`
	Subject       []subject       `json:"subject"`
	PredicateType string          `json:"predicateType"`
	Predicate     json.RawMessage `json:"predicate"`
}

type subject struct {
	Name   string        `json:"name"`
	Digest subjectDigest `json:"digest"`
}

type subjectDigest struct {
	SHA3 Digest `json:"sha3_512"`
}

// payload serialises p about s, once and for all.
func payload(s Subject, p Predicate) ([]byte, error) {
	body, err := marshal(p)
	if err != nil {
		return nil, err
	}
	return marshal(statement{
		Type:          statementType,
		Subject:       []subject{{Name: s.Execution, Digest: subjectDigest{s.Digest}}},
		PredicateType: predicatePrefix + string(p.Kind()) + predicateSuffix,
		Predicate:     body,
	})
}

// Decode reads what e says without verifying who said it: only for showing,
// and for finding the key to verify with. Use [Trust.Open] for everything
// else. It returns [ErrEnvelope], [ErrStatement] or [ErrJSON].
func (e Envelope) Decode() (*Record, error) {
	if err := e.check(); err != nil {
		return nil, err
	}
	var st statement
	if err := unmarshal(e.Payload, &st); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrStatement, err)
	}
	p, err := st.predicate()
	if err != nil {
		return nil, err
	}
	if err := reread(st.Predicate, p); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrStatement, p.Kind(), err)
	}
	if err := check(p); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrStatement, p.Kind(), err)
	}
	s := Subject{Execution: st.Subject[0].Name, Digest: st.Subject[0].Digest.SHA3}
	holder, _ := claimedName(p)
	return &Record{Envelope: e, Digest: e.Digest(), Subject: s, Predicate: p, Holder: holder}, nil
}

// predicate returns an empty predicate of the statement's kind.
func (st *statement) predicate() (Predicate, error) {
	switch {
	case st.Type != statementType:
		return nil, fmt.Errorf("%w: type %.60q, want %q", ErrStatement, st.Type, statementType)
	case len(st.Subject) != 1:
		return nil, fmt.Errorf("%w: %d subjects, want 1", ErrStatement, len(st.Subject))
	case st.Subject[0].Name == "" || st.Subject[0].Digest.SHA3.IsZero():
		return nil, fmt.Errorf("%w: the subject lacks a name or a digest", ErrStatement)
	}
	name, ok := strings.CutPrefix(st.PredicateType, predicatePrefix)
	if !ok || !strings.HasSuffix(name, predicateSuffix) {
		return nil, fmt.Errorf("%w: predicate type %.80q", ErrStatement, st.PredicateType)
	}
	p := newPredicate(Kind(strings.TrimSuffix(name, predicateSuffix)))
	if p == nil {
		return nil, fmt.Errorf("%w: unknown kind of record %.40q", ErrStatement, name)
	}
	return p, nil
}

func newPredicate(k Kind) Predicate {
	switch k {
	case KindRequest:
		return &Request{}
	case KindGrant:
		return &Grant{}
	case KindDecision:
		return &Decision{}
	case KindOutcome:
		return &Outcome{}
	case KindSignal:
		return &Signal{}
	case KindHandover:
		return &Handover{}
	case KindTakeover:
		return &Takeover{}
	case KindHalt:
		return &Halt{}
	case KindSeal:
		return &Seal{}
	case KindAttestation:
		return &Attestation{}
	case KindResolution:
		return &Resolution{}
	case KindApproval:
		return &Approval{}
	case KindOrder:
		return &Order{}
	case KindRejection:
		return &Rejection{}
	}
	return nil
}

// PlanDigest identifies the steps of a request: the [ValueDigest] of their
// canonical JSON.
func PlanDigest(steps []Step) (Digest, error) {
	b, err := marshal(steps)
	if err != nil {
		return Digest{}, err
	}
	return ValueDigest(b), nil
}
