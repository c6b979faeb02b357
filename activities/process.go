package activities

import (
	"cmp"
	"fmt"
	"os"
	"runtime/debug"
	"time"

	"github.com/interlock-run/interlock/evidence"
)

// started is when this process began, as far as it knows.
var started = evidence.TimeOf(time.Now())

// ThisProcess says what this process is, for [ControlConfig] and
// [StepsConfig]. Roles are those that it has: "control", "steps" or
// "control,steps".
func ThisProcess(roles string) (evidence.Process, error) {
	e, err := running()
	if err != nil {
		return evidence.Process{}, err
	}
	digest, err := e.digest()
	if err != nil {
		return evidence.Process{}, err
	}
	p := evidence.Process{Build: buildOf(debug.ReadBuildInfo()), Roles: roles, Started: started}
	if err := p.Executable.UnmarshalText([]byte(digest)); err != nil {
		return evidence.Process{}, fmt.Errorf("couldn't name the executable: %w", err)
	}
	if p.Host, err = os.Hostname(); err != nil {
		return evidence.Process{}, fmt.Errorf("couldn't name the host: %w", err)
	}
	return p, nil
}

// buildOf returns the version of the main module and the revision that it was
// built from, as far as Go recorded them.
func buildOf(info *debug.BuildInfo, ok bool) string {
	if !ok {
		return "unknown"
	}
	settings := map[string]string{}
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	build := cmp.Or(info.Main.Path, info.Path) + " " + cmp.Or(info.Main.Version, "unknown")
	if r := settings["vcs.revision"]; r != "" {
		build += " " + r
	}
	if settings["vcs.modified"] == "true" {
		build += " modified"
	}
	return build
}
