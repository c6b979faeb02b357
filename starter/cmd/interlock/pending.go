package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf16"

	"github.com/spf13/cobra"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/starter"
)

func (a *app) pendingCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "pending [ID]",
		Short: "List the steps that wait for approval, and show exactly what they would do",
		Long: `Lists the steps of all running executions, or of the one with this ID, that wait
for approval, or deferred, for their time: exactly what would be done, who asked
for it and why, which rule asks, who may approve, what was said so far, and
until when. What is shown is proven: it stands in records that the trust root
believes.

Which executions run is what Temporal says, so that none is missing here is
not proven. Exit code 0, also if nothing waits; 1 if an execution could not be
asked or not be believed. The others are shown all the same.`,
		Args: func(cmd *cobra.Command, args []string) error {
			return exactly([]string{"ID"}[:min(1, len(args))]...)(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error { return a.pending(cmd.Context(), args) },
	}
	a.configFlag(cmd)
	return cmd
}

func (a *app) pending(ctx context.Context, args []string) error {
	s, err := a.connect(ctx)
	if err != nil {
		return err
	}
	defer s.client.Close()
	var all []starter.Waiting
	if len(args) == 1 {
		all, err = s.PendingOf(ctx, args[0])
	} else {
		all, err = s.Pending(ctx)
	}
	if err != nil && all == nil {
		return err
	}
	if a.json() {
		a.encode(a.out, struct {
			Pending []starter.Waiting `json:"pending"`
		}{slices.Concat([]starter.Waiting{}, all)})
		return err
	}
	if len(all) == 0 && err == nil {
		fmt.Fprintln(a.out, "nothing waits")
	}
	for i := range all {
		if i > 0 {
			fmt.Fprintln(a.out)
		}
		a.waiting(&all[i], time.Now())
	}
	return err
}

// waiting shows a step that waits: exactly what would be done, and why not yet.
func (a *app) waiting(w *starter.Waiting, now time.Time) {
	a.rows(
		row{"waiting", fmt.Sprintf("step %s of execution %s", w.Step, w.Execution)},
		row{"action", w.Action},
	)
	for i, line := range jsonLines(w.Args) {
		fmt.Fprintf(a.out, "%-10s %s\n", []string{"arguments", ""}[min(i, 1)], line)
	}
	a.rows(
		row{"purpose", w.Purpose},
		row{"asked by", named(w.Requester, w.Principal)},
	)
	for _, name := range sorted(w.Context) {
		a.rows(row{"context", fmt.Sprintf("%s: %s", name, w.Context[name])})
	}
	for _, ask := range w.Asks {
		a.rows(row{"rule", fmt.Sprintf("%s: %d of %s%s; %d missing", ask.Rule, ask.Need, strings.Join(ask.By, ", "), because("", ask.Message), ask.Missing)})
	}
	for _, said := range w.Said {
		a.rows(row{"said", saidText(&said)})
	}
	a.waitsFor(w, now)
	a.rows(
		row{"decision", fmt.Sprintf("%s, by policy %s version %d", w.Decision.Short(), w.Policy.Name, w.Policy.Version)},
		row{"sends", w.Sends.Short()},
		row{"run", fmt.Sprintf("%s, namespace %s", w.Run, w.Namespace)},
	)
}

// waitsFor says for whom or what a step waits, and until when.
func (a *app) waitsFor(w *starter.Waiting, now time.Time) {
	if w.Effect == evidence.Defer {
		a.rows(
			row{"deferred", w.Reason},
			row{"again", moment(w.Again, now)},
			row{"until", moment(w.Until, now) + ", then it is denied"},
		)
		return
	}
	a.rows(
		row{"waits for", fmt.Sprintf("%d more of %s", w.Missing, oneOf(w.May))},
		row{"until", moment(w.Until, now) + ", then it is denied"},
		row{"approve", a.again(fmt.Sprintf("interlock approve %s %s", w.Execution, w.Step))},
	)
}

func oneOf(people []string) string {
	if len(people) == 0 {
		return "nobody who is left"
	}
	return strings.Join(people, ", ")
}

// named is a person, with the name of the key where that is another.
func named(person, key string) string {
	if person == key {
		return person
	}
	return fmt.Sprintf("%s, with the key of %s", person, key)
}

func saidText(s *starter.Said) string {
	text := fmt.Sprintf("%s: %s, on %v", named(s.Person, s.Approver), s.Word, s.At)
	if !s.Newest {
		text += ", of an earlier decision"
	}
	return because(text, s.Note)
}

// moment is a time, and how far away it is.
func moment(t evidence.Time, now time.Time) string {
	d := t.Time().Sub(now).Round(time.Second)
	if d < 0 {
		return fmt.Sprintf("%v (%v ago)", t, -d)
	}
	return fmt.Sprintf("%v (in %v)", t, d)
}

func sorted(m map[string]string) []string {
	var names []string
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// jsonLines shows a JSON value exactly: what cannot be seen, or would move
// what can, is written as JSON escapes it.
func jsonLines(value json.RawMessage) []string {
	var b bytes.Buffer
	if err := json.Indent(&b, value, "", "  "); err != nil {
		return []string{fmt.Sprintf("%q", value)}
	}
	var lines []string
	for line := range strings.Lines(b.String()) {
		lines = append(lines, escaped(strings.TrimSuffix(line, "\n")))
	}
	return lines
}

func escaped(line string) string {
	var b strings.Builder
	for _, r := range line {
		if unicode.IsPrint(r) {
			b.WriteRune(r)
			continue
		}
		for _, unit := range utf16.Encode([]rune{r}) {
			fmt.Fprintf(&b, `\u%04x`, unit)
		}
	}
	return b.String()
}

// theOne returns the step that somebody's word is about.
func theOne(all []starter.Waiting, id, step string) (*starter.Waiting, error) {
	all = slices.DeleteFunc(all, func(w starter.Waiting) bool { return step == "" && w.Effect != evidence.StepUp })
	if step != "" {
		all = slices.DeleteFunc(all, func(w starter.Waiting) bool { return w.Step != step })
	}
	switch {
	case len(all) == 1:
		return &all[0], nil
	case len(all) == 0 && step != "":
		return nil, fmt.Errorf("%w: step %.200q of execution %s does not wait", starter.ErrNotPending, step, id)
	case len(all) == 0:
		return nil, fmt.Errorf("%w: no step of execution %s does", starter.ErrNotPending, id)
	}
	var steps []string
	for _, w := range all {
		steps = append(steps, w.Step)
	}
	return nil, withHint(usage("%d steps of execution %s wait: want one of %s", len(all), id, strings.Join(steps, ", ")), "name the step: interlock approve ID STEP")
}
