package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/interlock-run/interlock/evidence"
)

// A screen is where the demo tells its story. It is safe for concurrent use.
type screen struct {
	mu     sync.Mutex // guards w, for moments
	w      io.Writer
	colour bool
}

// newScreen returns a screen that writes to f, in colour if f is a terminal.
func newScreen(f *os.File) *screen {
	info, err := f.Stat()
	terminal := err == nil && info.Mode()&os.ModeCharDevice != 0
	plain := os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb"
	return &screen{w: f, colour: terminal && !plain}
}

// Write writes the lines of a progress report, indented.
func (s *screen) Write(p []byte) (int, error) {
	for _, l := range strings.Split(strings.TrimRight(string(p), "\n"), "\n") {
		s.line("  %s", s.paint(dim, "… "+l))
	}
	return len(p), nil
}

func (s *screen) line(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fmt.Fprintf(s.w, format+"\n", args...)
}

func (s *screen) title(format string, args ...any) {
	s.line("%s\n", s.paint(bold, fmt.Sprintf(format, args...)))
}

// fact is one line: a word, and what there is to say about it.
func (s *screen) fact(word, format string, args ...any) {
	s.line("  %s%s", pad(word, 14), fmt.Sprintf(format, args...))
}

// tick is how often the screen says that something slow still happens.
const tick = 5 * time.Second

// during says how something went, and now and then that it still goes on.
func (s *screen) during(what string, do func() (string, error)) error {
	began, done := time.Now(), make(chan struct{})
	var waiting sync.WaitGroup
	waiting.Go(func() {
		t := time.NewTicker(tick)
		defer t.Stop()
		for {
			select {
			case <-done:
				return
			case <-t.C:
				s.line("  %s", s.paint(dim, fmt.Sprintf("… %s: %s", what, time.Since(began).Round(time.Second))))
			}
		}
	})
	said, err := do()
	close(done)
	waiting.Wait()
	if err == nil {
		s.fact(what, "%s%s", pad(said, 62), s.paint(dim, round(time.Since(began))))
	}
	return err
}

// scene announces an execution.
func (s *screen) scene(n int, sc scene) {
	if n == 1 {
		s.line("")
	}
	s.line("%s", s.paint(bold, fmt.Sprintf("%d %s", n, sc.title)))
}

// account says what became of an execution.
func (s *screen) account(a *account) {
	f := a.facts
	s.line("  %s%s%s  %s", s.verdict(f.verdict), pad(f.cause, 16), pad(round(a.took), 8), s.paint(dim, a.url))
	for _, n := range a.notes {
		s.fact("meanwhile", "%s", n)
	}
	s.fact("steps", "%s", f.steps)
	s.fact("proof", "%s; allowed: %s", f.grant(), f.allowed)
	s.fact("desk, called", "%s", strings.Join(f.calls.orNone(), "\n"+strings.Repeat(" ", 16)))
	s.fact("desk, effects", "%s", f.effects)
	for _, err := range a.wrong {
		s.line("  %s", s.paint(red, "NOT AS EXPECTED  "+err.Error()))
	}
	s.line("")
}

func (f facts) grant() string {
	if f.granted {
		return "a grant"
	}
	return "no grant"
}

func (l list) orNone() list {
	if len(l) == 0 {
		return list{"never"}
	}
	return l
}

func (s *screen) header() {
	s.line("  %s", s.paint(dim, pad("", 20)+pad("authentic", 13)+pad("complete", 13)+pad("governed", 13)+"history replays to the same chain"))
}

// checked says what the files of an execution were found to be.
func (s *screen) checked(a *account) {
	replayed := s.paint(red, "no")
	if a.replayed {
		replayed = s.paint(green, "yes")
	}
	r := a.report
	s.line("  %s%s%s%s%s", pad(a.name, 20), s.answer(r.Authentic), s.answer(r.Complete), s.answer(r.Governed), replayed)
}

func (s *screen) answer(c evidence.Check) string {
	colour := red
	if c.Answer == evidence.Yes {
		colour = green
	}
	return s.paint(colour, pad(c.Answer.String(), 13))
}

// The colours, as terminals have them.
const (
	bold   = "1"
	dim    = "2"
	red    = "31"
	green  = "32"
	yellow = "33"
)

func (s *screen) verdict(v evidence.Verdict) string {
	colour := yellow
	switch v {
	case evidence.Completed:
		colour = green
	case evidence.Halted, evidence.Unresolved:
		colour = red
	}
	return s.paint(colour, pad(string(v), 14))
}

func (s *screen) paint(colour, text string) string {
	if !s.colour {
		return text
	}
	return "\x1b[" + colour + "m" + text + "\x1b[0m"
}

func pad(text string, width int) string { return fmt.Sprintf("%-*s", width, text) }

// round is a duration with as many digits as people read.
func round(d time.Duration) string { return fmt.Sprintf("%.2f s", d.Seconds()) }
