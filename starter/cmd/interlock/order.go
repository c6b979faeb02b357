package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/starter"
	"github.com/interlock-run/interlock/worker/config"
	"github.com/interlock-run/interlock/workflows/contract"
)

const (
	// minPrefix is how many digits of a digest people must give.
	minPrefix = 8
	// storedFor is how long a control plane may take to store an order.
	storedFor = 30 * time.Second
)

// orderFlags are the flags of revoke, kill and restore.
type orderFlags struct {
	reason, key string
	detach      bool
}

func (f *orderFlags) add(a *app, cmd *cobra.Command) {
	a.configFlag(cmd)
	cmd.Flags().StringVar(&f.reason, "reason", "", "why, in one line; required")
	cmd.Flags().StringVar(&f.key, "sign-with", "", "the revoker's key file (default: keys.revoker of the configuration)")
	cmd.Flags().BoolVar(&f.detach, "detach", false, "do not wait until the running executions were told")
}

func (f *orderFlags) check(command string) error {
	f.reason = strings.TrimSpace(f.reason)
	switch {
	case f.reason == "":
		return usage("%s: --reason is missing: say in one sentence why", command)
	case strings.ContainsFunc(f.reason, unicode.IsControl):
		return usage("%s: --reason has a line break or another control character: write one line", command)
	case len(f.reason) > evidence.MaxNote:
		return usage("%s: --reason has %d bytes, at most %d", command, len(f.reason), evidence.MaxNote)
	}
	return nil
}

func (f *orderFlags) signer(c *config.File, s *starter.Config) (err error) {
	s.Revoker, err = signerOf(c, "revoker", "--sign-with", f.key, c.Keys.Revoker)
	return err
}

// openRevoker prepares a session that can give orders.
func (a *app) openRevoker(ctx context.Context, f *orderFlags) (*session, error) {
	s, err := a.openWith(f.signer)
	if err != nil {
		return nil, err
	}
	if err := s.reach(ctx); err != nil {
		s.client.Close()
		return nil, err
	}
	return s, nil
}

func (a *app) revokeCommand() *cobra.Command {
	var f orderFlags
	cmd := &cobra.Command{
		Use:   "revoke ID --reason TEXT",
		Short: "Stop one execution for good",
		Long: `Stops the execution, signed with a revoker's key: no step of it begins any more,
what runs is ended, and it is halted with this order in its evidence. If it has
not begun it never will, until the order is undone: interlock restore.

Exit code 0 once the order is in force and the execution was told. That it has
stopped is for interlock watch ID to say.`,
		Args: exactly("ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.stop(cmd.Context(), "revoke", &f, evidence.Scope{Kind: evidence.ScopeExecution, Value: args[0]})
		},
	}
	f.add(a, cmd)
	return cmd
}

// killFlags are the scopes of kill, of which one is given.
type killFlags struct {
	principal, policy, action, key string
	all, yes                       bool
}

func (a *app) killCommand() *cobra.Command {
	var f orderFlags
	var k killFlags
	cmd := &cobra.Command{
		Use:   "kill (--principal NAME | --policy NAME | --action NAME | --key ID | --all) --reason TEXT",
		Short: "Stop many executions at once, and let none begin",
		Long: `Stops every execution in the scope, signed with a revoker's key, and lets none
begin, until the order is undone with interlock restore. What it has stopped
stays stopped.

  --principal NAME  those that this principal, or person, asked for
  --policy NAME     those under this policy
  --action NAME     those in whose plan this action has not ended
  --key ID          those with a record that the key with this id signed
  --all             every execution

Exit code 0 once the order is in force and the running executions were told.`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			scope, err := k.scope(cmd)
			if err != nil {
				return err
			}
			return a.kill(cmd.Context(), &f, &k, scope)
		},
	}
	f.add(a, cmd)
	cmd.Flags().StringVar(&k.principal, "principal", "", "name of a principal, or the person whose keys they are")
	cmd.Flags().StringVar(&k.policy, "policy", "", "name of a policy")
	cmd.Flags().StringVar(&k.action, "action", "", "name of an action")
	cmd.Flags().StringVar(&k.key, "key", "", "id of a key in the trust root")
	cmd.Flags().BoolVar(&k.all, "all", false, "every execution")
	cmd.Flags().BoolVarP(&k.yes, "yes", "y", false, "do not ask before --all")
	return cmd
}

// scope returns the one scope that is given. There is no default.
func (k *killFlags) scope(cmd *cobra.Command) (evidence.Scope, error) {
	var given []evidence.Scope
	for _, f := range []struct {
		flag  string
		kind  evidence.ScopeKind
		value string
	}{
		{"principal", evidence.ScopePrincipal, k.principal},
		{"policy", evidence.ScopePolicy, k.policy},
		{"action", evidence.ScopeAction, k.action},
		{"key", evidence.ScopeKey, k.key},
	} {
		if !cmd.Flags().Changed(f.flag) {
			continue
		}
		if f.value == "" {
			return evidence.Scope{}, usage("kill: --%s is empty", f.flag)
		}
		given = append(given, evidence.Scope{Kind: f.kind, Value: f.value})
	}
	if k.all {
		given = append(given, evidence.Scope{Kind: evidence.ScopeAll})
	}
	if len(given) != 1 {
		return evidence.Scope{}, usage("kill: want exactly one of --principal, --policy, --action, --key and --all")
	}
	return given[0], nil
}

func (a *app) kill(ctx context.Context, f *orderFlags, k *killFlags, scope evidence.Scope) error {
	if err := f.check("kill"); err != nil {
		return err
	}
	if k.all {
		if err := a.canAsk(k.yes, "this stops everything, until it is restored; if that is meant, add --yes"); err != nil {
			return err
		}
		if err := a.sure(k.yes, "stop every execution, and let none begin?"); err != nil {
			return err
		}
	}
	return a.stop(ctx, "kill", f, scope)
}

// stop gives an order that stops what is in the scope.
func (a *app) stop(ctx context.Context, command string, f *orderFlags, scope evidence.Scope) error {
	if err := f.check(command); err != nil {
		return err
	}
	s, err := a.openRevoker(ctx, f)
	if err != nil {
		return err
	}
	defer s.client.Close()
	a.doubt(ctx, s, scope)
	return a.give(ctx, s, f, &evidence.Order{Does: evidence.Stop, Scope: scope, Reason: f.reason})
}

// doubt says that nothing known is in a scope, which may be a mistyped name.
// It keeps nobody from stopping it: the control plane may know more.
func (a *app) doubt(ctx context.Context, s *session, scope evidence.Scope) {
	var known bool
	switch scope.Kind {
	case evidence.ScopeExecution:
		_, err := s.Find(ctx, scope.Value)
		known = !errors.Is(err, starter.ErrNotFound)
	case evidence.ScopePrincipal:
		known = a.inTrust(s, func(k evidence.Key) bool {
			return k.Role == evidence.RolePrincipal && (k.Name == scope.Value || k.Holder() == scope.Value)
		})
	case evidence.ScopeKey:
		known = a.inTrust(s, func(k evidence.Key) bool { return k.ID == scope.Value })
	default:
		known = true
	}
	if !known {
		fmt.Fprintf(a.err, "interlock: nothing is known here of %s: is the name right? The order is given all the same.\n", plain(scope.String()))
	}
}

func (a *app) inTrust(s *session, is func(evidence.Key) bool) bool {
	trust, err := s.file.ReadTrust()
	return err == nil && slices.ContainsFunc(trust.Keys(), is)
}

// counted is a number of things.
func counted(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}

// give gives an order, and says when it is in force and when everybody was
// told.
func (a *app) give(ctx context.Context, s *session, f *orderFlags, o *evidence.Order) error {
	signed, err := s.SignOrder(o)
	if err != nil {
		return err
	}
	given, err := s.Give(ctx, signed)
	if err != nil {
		return err
	}
	storing, cancel := context.WithTimeout(ctx, storedFor)
	defer cancel()
	out, err := given.Stored(storing)
	if errors.Is(err, starter.ErrUnanswered) {
		return withHint(err, "start a control plane worker: the order is not in force, and will be if one starts within ten minutes; see: interlock orders")
	}
	if err != nil {
		return err
	}
	if !f.detach {
		if out, err = given.Told(ctx); err != nil {
			return withHint(fmt.Errorf("order %s is in force, but not every execution could be told: %w", given.Order().Short(), err), "they hear of it without that; see: interlock orders")
		}
	}
	a.given(o, out)
	return nil
}

func (a *app) given(o *evidence.Order, out *contract.Ordered) {
	if a.json() {
		a.encode(a.out, struct {
			*contract.Ordered
			Does  evidence.Does  `json:"does"`
			Scope evidence.Scope `json:"scope"`
		}{out, o.Does, o.Scope})
		return
	}
	a.rows(row{"order", out.Order.Short()}, row{string(o.Does), o.Scope.String()}, row{"recorded", fmt.Sprintf("as order %d of the chain of orders", out.Seq)})
	if o.Does == evidence.Stop {
		a.rows(row{"told", counted(out.Told, "running execution")}, row{"undo", a.again("interlock restore " + out.Order.Short() + " --reason ...")})
	}
}

func (a *app) restoreCommand() *cobra.Command {
	var f orderFlags
	cmd := &cobra.Command{
		Use:   "restore ORDER --reason TEXT",
		Short: "Undo an order that stops executions",
		Long: `Undoes an order of interlock revoke or kill, signed with a revoker's key. New
executions may begin again; what the order has stopped stays stopped. ORDER is
the digest of the order, or at least 8 of its first digits: interlock orders.

Exit code 0 once it is undone, 2 if no such order is in force.`,
		Args: exactly("ORDER"),
		RunE: func(cmd *cobra.Command, args []string) error { return a.restore(cmd.Context(), &f, args[0]) },
	}
	f.add(a, cmd)
	return cmd
}

func (a *app) restore(ctx context.Context, f *orderFlags, prefix string) error {
	if err := f.check("restore"); err != nil {
		return err
	}
	if len(prefix) < minPrefix {
		return usage("restore: ORDER %q: want at least %d digits", prefix, minPrefix)
	}
	s, err := a.openRevoker(ctx, f)
	if err != nil {
		return err
	}
	defer s.client.Close()
	list, err := s.Orders(ctx)
	if err != nil {
		return err
	}
	o, err := theOrder(list.Orders, prefix)
	if err != nil {
		return err
	}
	return a.give(ctx, s, f, &evidence.Order{Does: evidence.Restore, Scope: o.Scope, Undoes: o.Order, Reason: f.reason})
}

// theOrder returns the order whose digest begins so.
func theOrder(all []evidence.Ordered, prefix string) (*evidence.Ordered, error) {
	var found []*evidence.Ordered
	for i := range all {
		if strings.HasPrefix(all[i].Order.String(), strings.ToLower(prefix)) {
			found = append(found, &all[i])
		}
	}
	switch len(found) {
	case 0:
		return nil, fmt.Errorf("%w: %.130s", starter.ErrNoOrder, prefix)
	case 1:
		return found[0], nil
	}
	return nil, usage("restore: %d orders in force begin with %s: give more digits", len(found), prefix)
}

func (a *app) ordersCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "orders",
		Short: "List the orders that are in force",
		Long: `Lists what interlock revoke and kill have stopped and interlock restore has not
undone. Each order shown is signed by a revoker whom the trust root believes;
that none is missing is the control plane's word.`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error { return a.orders(cmd.Context()) },
	}
	a.configFlag(cmd)
	return cmd
}

func (a *app) orders(ctx context.Context) error {
	s, err := a.connect(ctx)
	if err != nil {
		return err
	}
	defer s.client.Close()
	list, err := s.Orders(ctx)
	if err != nil {
		return err
	}
	if a.json() {
		a.encode(a.out, list)
		return nil
	}
	if len(list.Orders) == 0 {
		fmt.Fprintf(a.out, "no order is in force; %d were given\n", list.Count)
	}
	for _, o := range list.Orders {
		fmt.Fprintf(a.out, "%s  %s  %s\n", o.Order.Short(), o.At, plain(fmt.Sprintf("%s, by %s: %s", o.Scope, o.Revoker, o.Reason)))
	}
	if list.Disbelieved > 0 {
		fmt.Fprintf(a.err, "interlock: %d more are said to be in force, which no revoker of this trust root signed\n", list.Disbelieved)
	}
	return nil
}
