package activities

import (
	"context"
	"crypto/sha3"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/evidence/store"
)

// maxProbed is the largest policy or catalogue file, in bytes, that is read.
const maxProbed = 16 << 20

// PolicyProbe checks that the policy bundle on disk is the one that the
// execution was granted under.
func PolicyProbe(path string) Probe {
	return Probe{Name: "policy", Quick: true, Measure: func(_ context.Context, of Pinned) (string, string, error) {
		got, err := smallFileDigest(path)
		return of.Policy.String(), got, err
	}}
}

// CatalogueProbe checks that the catalogue on disk is the one that the
// execution was granted under.
func CatalogueProbe(path string) Probe {
	return Probe{Name: "catalogue", Quick: true, Measure: func(_ context.Context, of Pinned) (string, string, error) {
		got, err := smallFileDigest(path)
		return of.Catalogue.String(), got, err
	}}
}

func smallFileDigest(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("couldn't open: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxProbed+1))
	if err != nil {
		return "", fmt.Errorf("couldn't read: %w", err)
	}
	if len(data) > maxProbed {
		return "", fmt.Errorf("%s is larger than %d bytes", path, maxProbed)
	}
	return evidence.FileDigest(data).String(), nil
}

// StoreProbe checks that the store still holds the chain that the workflow
// knows: at least as many records, the last of them with the same link.
func StoreProbe(records Records) Probe {
	return Probe{Name: "store", Measure: func(ctx context.Context, of Pinned) (string, string, error) {
		if of.Head.Seq == 0 { // before the grant there is no chain; that the store answers is what counts
			err := answering(ctx, func() error { _, err := records.Head(ctx, of.Run); return err })
			return "answers", "answers", err
		}
		var found []store.Record
		err := answering(ctx, func() (err error) {
			found, err = records.Records(ctx, of.Run, of.Head.Seq-1)
			return err
		})
		if err != nil && !errors.Is(err, store.ErrCorrupt) {
			return "", "", err
		}
		got := "none"
		if err == nil && len(found) > 0 {
			got = found[0].Link.String()
		}
		return of.Head.Prev.String(), got, nil
	}}
}

// ClockProbe checks that the wall clock runs with the monotonic one: a step of
// more than limit since the process started is a failure. Slow corrections by
// a time service below that are not.
func ClockProbe(limit time.Duration) Probe {
	return clockProbe(limit, time.Now)
}

func clockProbe(limit time.Duration, now func() time.Time) Probe {
	start := now()
	return Probe{Name: "clock", Quick: true, Measure: func(context.Context, Pinned) (string, string, error) {
		t := now()
		step := t.Round(0).Sub(start.Round(0)) - t.Sub(start)
		if step.Abs() > limit {
			return "no step", "stepped by " + step.Round(time.Millisecond).String(), nil
		}
		return "no step", "no step", nil
	}}
}

// SeenProbe checks that the wall clock is not behind the largest time that any
// process wrote into the store, by more than limit: a clock that was set back
// while nobody looked, or another machine's that is ahead.
func SeenProbe(seen func(context.Context) (evidence.Time, error), now func() time.Time, limit time.Duration) Probe {
	return Probe{Name: "clock.seen", Quick: true, Measure: func(ctx context.Context, _ Pinned) (string, string, error) {
		var latest evidence.Time
		err := answering(ctx, func() (err error) {
			latest, err = seen(ctx)
			return err
		})
		if err != nil {
			return "", "", err
		}
		if behind := latest.Time().Sub(now()); behind > limit {
			return "not behind", "behind by " + behind.Round(time.Millisecond).String(), nil
		}
		return "not behind", "not behind", nil
	}}
}

// ExecutableProbe checks that the running program's file is the one that it
// was when the process started.
func ExecutableProbe() (Probe, error) {
	e, err := running()
	if err != nil {
		return Probe{}, err
	}
	want, err := e.digest()
	if err != nil {
		return Probe{}, err
	}
	return Probe{Name: "executable", Measure: func(context.Context, Pinned) (string, string, error) {
		got, err := e.digest()
		return want, got, err
	}}, nil
}

func running() (*executable, error) {
	e := &executable{path: "/proc/self/exe"}
	if _, err := os.Stat(e.path); err != nil { // not Linux
		if e.path, err = os.Executable(); err != nil {
			return nil, fmt.Errorf("couldn't find the running executable: %w", err)
		}
	}
	return e, nil
}

// executable hashes a program, and does so again only when the file was
// touched: it is tens of megabytes. The change time that the kernel keeps
// cannot be set back by whoever writes the file.
type executable struct {
	path string
	mu   sync.Mutex
	seen fileState
	sum  string
}

type fileState struct {
	dev, ino     uint64
	size         int64
	mtime, ctime int64 // nanoseconds
}

func (e *executable) digest() (string, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	f, err := os.Open(e.path)
	if err != nil {
		return "", fmt.Errorf("couldn't open the executable: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", fmt.Errorf("couldn't look at the executable: %w", err)
	}
	state, known := stateOf(info)
	if known && e.sum != "" && state == e.seen {
		return e.sum, nil
	}
	h := sha3.New512()
	if _, err := io.Copy(h, f); err != nil {
		return "", fmt.Errorf("couldn't read the executable: %w", err)
	}
	e.seen, e.sum = state, hex.EncodeToString(h.Sum(nil))
	return e.sum, nil
}
