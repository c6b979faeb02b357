package main

import (
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/sha3"
	"debug/buildinfo"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// programs are what is released, by their packages.
var programs = []string{"./starter/cmd/interlock", "./worker/cmd/interlockd"}

var (
	errPlatform = errors.New("no platform")
	errSource   = errors.New("not built from a commit")
)

// A platform is what a program runs on.
type platform struct{ os, arch string }

func (p platform) String() string { return p.os + "-" + p.arch }

// A release is one build of all programs.
type release struct {
	source    string // the root of the module, in a clone
	programs  []string
	out       string
	sbom      bool
	platforms []platform
	environ   []string // more than the process has; for tests
	say       func(string)
}

func (r *release) add(name string) error {
	os, arch, ok := strings.Cut(strings.TrimSpace(name), "/")
	if !ok || os == "" || arch == "" || strings.ContainsAny(os+arch, `/\. `) {
		return fmt.Errorf("%w: %q; want GOOS/GOARCH, such as linux/amd64", errPlatform, name)
	}
	r.platforms = append(r.platforms, platform{os, arch})
	return nil
}

// make builds into a folder beside out, which takes its place when all is
// there: a release that failed leaves the one before it.
func (r *release) make(ctx context.Context) error {
	out, err := filepath.Abs(r.out)
	if err != nil {
		return fmt.Errorf("couldn't name the folder: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(out), 0o755); err != nil {
		return fmt.Errorf("couldn't make the folder: %w", err)
	}
	work, err := os.MkdirTemp(filepath.Dir(out), ".release-")
	if err != nil {
		return fmt.Errorf("couldn't make the folder: %w", err)
	}
	defer func() { _ = os.RemoveAll(work) }() // gone, or of no use
	var files []string
	for _, p := range r.platforms {
		for _, program := range r.programs {
			made, err := r.build(ctx, work, p, program)
			if err != nil {
				return err
			}
			files = append(files, made...)
		}
	}
	if err := sums(work, files); err != nil {
		return err
	}
	if err := os.Chmod(work, 0o755); err != nil {
		return fmt.Errorf("couldn't open the folder to others: %w", err)
	}
	if err := errors.Join(os.RemoveAll(out), os.Rename(work, out)); err != nil {
		return fmt.Errorf("couldn't replace %s: %w", out, err)
	}
	r.say("made " + r.out)
	return nil
}

// build makes one program, and its bill of materials, and returns their names.
func (r *release) build(ctx context.Context, work string, p platform, program string) ([]string, error) {
	name := filepath.Base(program) + "-" + p.String()
	if p.os == "windows" {
		name += ".exe"
	}
	r.say("building " + name)
	path := filepath.Join(work, name)
	// The path of this machine, its C compiler, and the linker's own id of a
	// build are what would differ. The commit and its time are stamped.
	err := r.tool(ctx, p.environ(), "build", "-trimpath", "-buildvcs=true", "-ldflags=-s -w -buildid=", "-o", path, program)
	if err != nil {
		return nil, err
	}
	if err := fromCommit(path); err != nil {
		return nil, err
	}
	if !r.sbom {
		return []string{name}, nil
	}
	err = r.tool(ctx, []string{"GOFLAGS=-trimpath"}, "tool", "-modfile=deploy/tools/go.mod", "cyclonedx-gomod",
		"bin", "-json", "-noserial", "-notimestamp", "-std", "-output", path+".cdx.json", path)
	if err != nil {
		return nil, err
	}
	return []string{name, name + ".cdx.json"}, nil
}

// environ is what decides about the bytes of a program, whatever this process
// was started with.
func (p platform) environ() []string {
	return []string{
		"GOOS=" + p.os, "GOARCH=" + p.arch, "CGO_ENABLED=0", "GOFLAGS=-mod=readonly", "GOEXPERIMENT=", "GOWORK=off", "GOFIPS140=off", "GODEBUG=",
		"GOAMD64=v1", "GOARM64=v8.0",
	}
}

func (r *release) tool(ctx context.Context, environ []string, args ...string) error {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = r.source
	cmd.Env = slices.Concat(os.Environ(), r.environ, environ)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go %s: %w\n%s", strings.Join(args[:2], " "), err, out)
	}
	return nil
}

// fromCommit reports whether the program at path says from which commit it was
// built, and that nothing was changed since: others could not build it again.
func fromCommit(path string) error {
	info, err := buildinfo.ReadFile(path)
	if err != nil {
		return fmt.Errorf("couldn't read what %s was built from: %w", filepath.Base(path), err)
	}
	settings := map[string]string{}
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	switch {
	case settings["vcs.revision"] == "":
		return fmt.Errorf("%w: Go found no git repository; build in a clone", errSource)
	case settings["vcs.modified"] != "false":
		return fmt.Errorf("%w: files differ from commit %s; commit them, or put them away", errSource, settings["vcs.revision"])
	}
	return nil
}

// sums writes the checksums of files, in the format that sha256sum reads, and
// openssl dgst -r prints.
func sums(dir string, files []string) error {
	slices.Sort(files)
	for _, s := range []struct {
		name string
		hash func() hash.Hash
	}{{"SHA256SUMS", sha256.New}, {"SHA3-512SUMS", func() hash.Hash { return sha3.New512() }}} {
		var list strings.Builder
		for _, name := range files {
			sum, err := sumOf(filepath.Join(dir, name), s.hash())
			if err != nil {
				return err
			}
			fmt.Fprintf(&list, "%x *%s\n", sum, name)
		}
		if err := os.WriteFile(filepath.Join(dir, s.name), []byte(list.String()), 0o644); err != nil {
			return fmt.Errorf("couldn't write the checksums: %w", err)
		}
	}
	return nil
}

func sumOf(path string, h hash.Hash) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("couldn't read what was built: %w", err)
	}
	_, err = io.Copy(h, f)
	if err := cmp.Or(err, f.Close()); err != nil {
		return nil, fmt.Errorf("couldn't read what was built: %w", err)
	}
	return h.Sum(nil), nil
}
