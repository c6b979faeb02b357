package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/worker/config"
)

// maxInput is the largest request or envelope, in bytes, that is read.
const maxInput = evidence.MaxPayload

// A requestFile is a request as people write it. What it does not say (who
// asks, when, for which domain) is filled in when it is signed. Unknown fields
// are errors.
type requestFile struct {
	// ID is also the Temporal workflow id. Random if it is left out.
	ID text `yaml:"id"`
	// Purpose says why the execution is wanted, for people and rules.
	Purpose text `yaml:"purpose"`
	// Policy is the name of the bundle to be judged by.
	Policy text `yaml:"policy"`
	// Context holds facts for rules, such as a ticket. Values are strings.
	Context map[string]text `yaml:"context"`
	// ExpiresIn is how long the request is good for, 1h by default.
	ExpiresIn config.Duration `yaml:"expires_in"`
	// Steps are the plan.
	Steps []stepFile `yaml:"steps"`
}

// A stepFile is one step of the plan.
type stepFile struct {
	ID     text   `yaml:"id"`
	Action text   `yaml:"action"`
	Needs  []text `yaml:"needs"` // ids of earlier steps that must be done
	Args   args   `yaml:"args"`  // {} if they are left out
}

// readInput reads a file, or standard input for "-". It returns a name for
// messages.
func (a *app) readInput(path string) (data []byte, name string, err error) {
	name, in := path, a.in
	if path == "-" {
		name = "standard input"
	} else {
		f, err := os.Open(path)
		if err != nil {
			return nil, "", fmt.Errorf("couldn't read %s: %w", path, err)
		}
		defer f.Close()
		in = f
	}
	data, err = io.ReadAll(io.LimitReader(in, maxInput+1))
	if err != nil {
		return nil, "", fmt.Errorf("couldn't read %s: %w", name, err)
	}
	if len(data) > maxInput {
		return nil, "", usage("%s is longer than %d bytes", name, maxInput)
	}
	return data, name, nil
}

// parseRequest reads a request, called name in messages.
func parseRequest(name string, data []byte) (*evidence.Request, error) {
	f, err := decodeRequest(data)
	switch {
	case errors.Is(err, io.EOF):
		return nil, usage("%s is empty: want a request", name)
	case err != nil:
		return nil, usage("%s:%s", name, strings.TrimSuffix(yaml.FormatError(err, false, true), "\n"))
	case f.ExpiresIn < 0:
		return nil, usage("%s: expires_in: want a duration above zero", name)
	}
	return f.request(), nil
}

// decodeRequest reads the YAML. The library panics on some malformed files,
// which is an error like any other here.
func decodeRequest(data []byte) (f *requestFile, err error) {
	defer func() {
		if crash := recover(); crash != nil {
			f, err = nil, fmt.Errorf(" couldn't be read as YAML (a tag, such as !x, where a list belongs?): %v", crash)
		}
	}()
	f = &requestFile{}
	dec := yaml.NewDecoder(bytes.NewReader(data), yaml.Strict())
	if err := dec.Decode(f); err != nil {
		return nil, err
	}
	// What follows a second --- would not be signed, and nobody would notice.
	if err := dec.Decode(new(any)); !errors.Is(err, io.EOF) {
		return nil, errors.New(" more than one document")
	}
	return f, nil
}

func (f *requestFile) request() *evidence.Request {
	r := &evidence.Request{ID: string(f.ID), Purpose: string(f.Purpose), Policy: string(f.Policy)}
	for name, value := range f.Context {
		if r.Context == nil {
			r.Context = map[string]string{}
		}
		r.Context[name] = string(value)
	}
	if f.ExpiresIn > 0 {
		r.Issued = evidence.TimeOf(time.Now())
		r.Expires = r.Issued.Add(time.Duration(f.ExpiresIn))
	}
	for _, s := range f.Steps {
		step := evidence.Step{ID: string(s.ID), Action: string(s.Action), Args: json.RawMessage(s.Args)}
		for _, need := range s.Needs {
			step.Needs = append(step.Needs, string(need))
		}
		if step.Args == nil {
			step.Args = json.RawMessage("{}")
		}
		r.Steps = append(r.Steps, step)
	}
	return r
}

// parseEnvelope reads an envelope as it is: whether it is a good one is for
// the control plane to say.
func parseEnvelope(name string, data []byte) (evidence.Envelope, error) {
	var e evidence.Envelope
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&e); err != nil {
		return e, usage("%s is not an envelope: %w", name, err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return e, usage("%s has something after the envelope", name)
	}
	return e, nil
}
