package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/workflows/contract"
)

// A view shows progress as it is made. It is used by one goroutine.
type view interface {
	show(contract.Progress)
	silent()                // nobody answers
	end([]evidence.StepEnd) // the verdict is there
}

// screen returns the view for where the output goes: a picture that is drawn
// again and again on a terminal, else a line for each change.
func (a *app) screen() view {
	if a.json() {
		return &jsonView{app: a}
	}
	f, ok := a.out.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) || a.env("TERM") == "dumb" {
		return &lineView{out: a.out, now: time.Now}
	}
	return &liveView{out: f, size: func() (int, int, error) { return term.GetSize(int(f.Fd())) }}
}

// quietly is screen, save that programs get the verdict only.
func (a *app) quietly() view {
	if a.json() {
		return noView{}
	}
	return a.screen()
}

type noView struct{}

func (noView) show(contract.Progress) {}
func (noView) silent()                {}
func (noView) end([]evidence.StepEnd) {}

// silence is what is shown when nobody answers.
const silence = "no control plane worker answers; waiting"

// phase is where an execution stands, in a few words.
func phase(p contract.Progress) string {
	if p.Waiting != "" {
		return "waiting for " + p.Waiting
	}
	return p.Phase
}

// stepState is where a step stands, in a word.
func stepState(s contract.StepProgress) string {
	if s.State == contract.StepEnded && s.Status != "" {
		return string(s.Status)
	}
	return string(s.State)
}

// stepLines writes a line for each step, names padded.
func stepLines(p contract.Progress) []string {
	wide := 0
	for _, s := range p.Steps {
		wide = max(wide, len([]rune(plain(s.ID))))
	}
	var lines []string
	for _, s := range p.Steps {
		lines = append(lines, fmt.Sprintf("  %-*s  %-9s  %s", wide, plain(s.ID), plain(stepState(s)), plain(s.Action)))
		if wait := waitText(s.Wait, p.Execution); wait != "" {
			lines = append(lines, fmt.Sprintf("  %-*s  %s", wide, "", plain(wait)))
		}
	}
	return lines
}

// waitText says for whom or what a step waits, or "" if it does not.
func waitText(w *contract.Wait, id string) string {
	switch {
	case w == nil:
		return ""
	case w.Effect == evidence.Defer:
		return fmt.Sprintf("deferred until %v, asked again at %v", w.Until, w.At)
	case w.Missing == 1:
		return fmt.Sprintf("waits for an approval by one more of %s until %v; see: interlock pending %s", strings.Join(w.By, ", "), w.Until, id)
	}
	return fmt.Sprintf("waits for approvals by %d of %s until %v; see: interlock pending %s", w.Missing, strings.Join(w.By, ", "), w.Until, id)
}

// rejectedText says how many messages were not believed, or "" if none was.
func rejectedText(p contract.Progress) string {
	switch p.Rejected {
	case 0:
		return ""
	case 1:
		return "1 message was not believed"
	}
	return fmt.Sprintf("%d messages were not believed", p.Rejected)
}

// A jsonView writes progress as JSON, a line for each change.
type jsonView struct {
	app  *app
	last string
}

func (v *jsonView) show(p contract.Progress) {
	now, err := json.Marshal(p)
	if err != nil || string(now) != v.last {
		v.last = string(now)
		v.app.encode(v.app.out, p)
	}
}

func (v *jsonView) silent()                {}
func (v *jsonView) end([]evidence.StepEnd) {}

// A lineView writes a line for each change.
type lineView struct {
	out   io.Writer
	now   func() time.Time
	phase string
	steps map[string]string
	waits map[string]string
	wrong int // messages that were not believed
	quiet bool
}

func (v *lineView) line(name, value string) {
	fmt.Fprintf(v.out, "%s  %s  %s\n", v.now().Format(time.TimeOnly), plain(name), plain(value))
}

func (v *lineView) show(p contract.Progress) {
	v.quiet = false
	if now := phase(p); now != v.phase {
		v.phase = now
		v.line("execution", now)
	}
	if p.Rejected != v.wrong {
		v.wrong = p.Rejected
		v.line("execution", rejectedText(p))
	}
	for _, s := range p.Steps {
		v.step(s.ID, stepState(s))
		v.wait(s.ID, waitText(s.Wait, p.Execution))
	}
}

func (v *lineView) wait(id, text string) {
	if v.waits == nil {
		v.waits = map[string]string{}
	}
	if text != v.waits[id] {
		v.waits[id] = text
		if text != "" {
			v.line(id, text)
		}
	}
}

func (v *lineView) step(id, state string) {
	if v.steps == nil {
		v.steps = map[string]string{}
	}
	if state != v.steps[id] && state != string(contract.StepWaiting) {
		v.steps[id] = state
		v.line(id, state)
	}
}

func (v *lineView) silent() {
	if !v.quiet {
		v.quiet = true
		v.line("execution", silence)
	}
}

// end shows how the steps ended that ended between two looks.
func (v *lineView) end(ends []evidence.StepEnd) {
	for _, e := range ends {
		if e.State != evidence.StateNotStarted {
			v.step(e.ID, string(e.State))
		}
	}
}

// A liveView draws a picture over the one before.
type liveView struct {
	out   io.Writer
	size  func() (wide, high int, err error)
	drawn int // lines on the screen
}

// draw replaces the picture. Lines are cut to the terminal's size: one that
// wraps, or a picture that scrolls, could not be drawn over.
func (v *liveView) draw(lines []string) {
	wide, high, err := v.size()
	if err != nil || wide < 1 || high < 2 {
		wide, high = 80, 24
	}
	v.wipe()
	lines = lines[:min(len(lines), high-1)]
	for _, line := range lines {
		runes := []rune(line)
		fmt.Fprintln(v.out, string(runes[:min(len(runes), wide-1)]))
	}
	v.drawn = len(lines)
}

func (v *liveView) wipe() {
	if v.drawn > 0 {
		fmt.Fprintf(v.out, "\x1b[%dA\x1b[J", v.drawn)
	}
	v.drawn = 0
}

func (v *liveView) show(p contract.Progress) {
	head := fmt.Sprintf("%s: %d records, %d signals", plain(phase(p)), p.Records, p.Signals)
	if wrong := rejectedText(p); wrong != "" {
		head += "; " + wrong
	}
	v.draw(append([]string{head}, stepLines(p)...))
}

func (v *liveView) silent() { v.draw([]string{silence}) }

// end makes room for the verdict, which has the steps as well.
func (v *liveView) end([]evidence.StepEnd) { v.wipe() }
