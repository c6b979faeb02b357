package main

import (
	"encoding/json"
	"fmt"

	"github.com/interlock-run/interlock/evidence"
)

// A scene is one execution: what is asked for, what happens meanwhile, and
// what must come of it.
type scene struct {
	name   string // of the execution, and of its files
	title  string
	ticket string // customer of the ticket that the agent works on
	plan   []evidence.Step

	before turn // nil: nothing
	during turn // once the execution has been started
	after  turn // undoes the two above

	want facts
}

// The people and orders of the desk's data.
const (
	mia           = "mia_keller_4821"
	noah          = "noah_okafor_1177"
	miasDelivered = "W5500101"
	miasPending   = "W5500102"
	noahsOrder    = "W5500201"
)

// story is what the demo plays, in this order.
func story(kill bool) []scene {
	third := policyChanges
	if kill {
		third = killed
	}
	return []scene{refund, otherCustomer, third, deskIsDown}
}

var refund = scene{
	name:   "1-refund",
	title:  "Refund 40.00 of Mia's delivered order.",
	ticket: mia,
	plan: []evidence.Step{
		step("lookup-customer", "customers.lookup", args{"customer": mia}),
		step("lookup-order", "orders.lookup", args{"order": miasDelivered}, "lookup-customer"),
		step("refund", "orders.refund", args{"order": miasDelivered, "customer": mia, "amount": 4000, "reason": "jacket torn"},
			"lookup-customer", "lookup-order"),
	},
	want: facts{
		verdict: evidence.Completed, cause: "completed", granted: true,
		allowed: list{"lookup-customer", "lookup-order", "refund"},
		steps:   list{"lookup-customer done", "lookup-order done", "refund done"},
		calls: list{
			"lookup-customer: GET /users/mia_keller_4821 200",
			"lookup-order: GET /orders/W5500101 200",
			"refund: POST /orders/W5500101/refund 200",
		},
		effects: list{"refund: refund #W5500101 4000"},
	},
}

var otherCustomer = scene{
	name:   "2-other-customer",
	title:  "Refund Noah's order, on Mia's ticket.",
	ticket: mia,
	plan: []evidence.Step{
		step("lookup-order", "orders.lookup", args{"order": noahsOrder}),
		step("refund", "orders.refund", args{"order": noahsOrder, "customer": noah, "amount": 4000, "reason": "as agreed"},
			"lookup-order"),
	},
	want: facts{
		verdict: evidence.Denied, cause: "policy.deny",
		steps: list{"lookup-order not_started", "refund not_started"},
	},
}

// policyChanges is stopped while a step of it reads. Stopped while it ships, it
// would be unresolved: whether the parcel left could not be known.
var policyChanges = scene{
	name:   "3-policy-changes",
	title:  "Weigh and ship Mia's pending order; while it is weighed, the policy file changes on disk.",
	ticket: mia,
	plan: []evidence.Step{
		step("weigh", "orders.weigh", args{"order": miasPending}),
		step("ship", "orders.ship", args{"order": miasPending, "customer": mia, "carrier": "Harbor Post"}, "weigh"),
		step("notify", "orders.notify", args{"order": miasPending, "customer": mia, "message": "Your order is on its way."}, "ship"),
	},
	during: editPolicyOnce("weigh: GET /orders/W5500102/weight"),
	after:  restorePolicy,
	want: facts{
		verdict: evidence.Halted, cause: "probe.policy", granted: true,
		allowed: list{"weigh"},
		steps:   list{"weigh cancelled", "ship not_started", "notify not_started"},
		calls:   list{"weigh: GET /orders/W5500102/weight 499"},
	},
}

// killed stands in for policyChanges with -kill.
var killed = scene{
	name:   "3-killed",
	title:  "Ship Mia's pending order; while it is packed, interlockd is killed and started again.",
	ticket: mia,
	plan: []evidence.Step{
		step("ship", "orders.ship", args{"order": miasPending, "customer": mia, "carrier": "Harbor Post"}),
		step("notify", "orders.notify", args{"order": miasPending, "customer": mia, "message": "Your order is on its way."}, "ship"),
	},
	during: killOnce("ship: POST /orders/W5500102/ship"),
	want: facts{
		verdict: evidence.Completed, cause: "completed", granted: true,
		allowed: list{"ship", "notify"},
		steps:   list{"ship done", "notify done"},
		calls: list{
			"ship: POST /orders/W5500102/ship 499",
			"ship: POST /orders/W5500102/ship 200",
			"notify: POST /orders/W5500102/notify 200",
		},
		effects: list{"ship: ship #W5500102 0", "notify: notify #W5500102 0"},
	},
}

var deskIsDown = scene{
	name:   "4-desk-is-down",
	title:  "Refund 5.00 more, while the desk answers 500.",
	ticket: mia,
	plan: []evidence.Step{
		step("lookup-order", "orders.lookup", args{"order": miasDelivered}),
		step("refund", "orders.refund", args{"order": miasDelivered, "customer": mia, "amount": 500, "reason": "late delivery"},
			"lookup-order"),
	},
	before: breakDesk("/orders/W5500101/refund", 500),
	after:  repairDesk("/orders/W5500101/refund"),
	want: facts{
		verdict: evidence.Failed, cause: "http.500", granted: true,
		allowed: list{"lookup-order", "refund"},
		steps:   list{"lookup-order done", "refund failed"},
		calls: list{ // all with the one idempotency key of the step
			"lookup-order: GET /orders/W5500101 200",
			"refund: POST /orders/W5500101/refund 500",
			"refund: POST /orders/W5500101/refund 500",
			"refund: POST /orders/W5500101/refund 500",
		},
	},
}

type args map[string]any

func step(id, action string, a args, needs ...string) evidence.Step {
	raw, err := json.Marshal(a)
	if err != nil {
		panic(fmt.Sprintf("arguments of step %s: %v", id, err)) // strings and numbers always encode
	}
	return evidence.Step{ID: id, Action: action, Args: raw, Needs: needs}
}
