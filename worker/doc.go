// Package worker is where the parts meet: keys, policy, catalogue, store,
// executors and Temporal. It is a library, so that a team can run its own step
// workers with its own executors:
//
//	w, err := worker.New(ctx, worker.Config{
//		Client: temporal, Trust: trust, Catalogue: "actions.yaml", Store: "evidence.db",
//		Steps: &worker.Steps{Key: key, Name: "worker-1", Funcs: map[string]executor.Executor{
//			"refund": executor.Func(refund),
//		}},
//		Log: log,
//	})
//	err = w.Run(ctx)
//
// A team that has a Temporal worker already adds [NewGuard] to it, and what its
// activities do becomes governed.
//
// A process has the role of control plane, of step worker, or both. It refuses
// to start with a hole in its configuration: there is no default for a policy,
// a trust root or a key. It refuses too if it can read a private key that is
// not one of its roles', or, as a control plane, credentials of the outside
// world: see [Near] for where it looks, and package worker/keyring for what
// counts.
package worker
