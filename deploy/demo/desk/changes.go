package desk

import (
	"net/http"
)

// refund pays a part or all of a delivered order back.
func (d *Desk) refund(r *http.Request) (answer, error) {
	var in struct {
		Customer string `json:"customer"`
		Amount   int64  `json:"amount"` // cents
		Reason   string `json:"reason"`
	}
	c, err := readChange(r, "refund", &in, &in.Customer, &in.Reason)
	if err != nil {
		return answer{}, err
	}
	if in.Amount <= 0 {
		return answer{}, refuse(http.StatusBadRequest, "amount must be a positive number of cents")
	}
	c.as = in.Customer
	c.apply = func(o *order) (done, error) {
		if err := o.must(delivered, "refunded"); err != nil {
			return done{}, err
		}
		// Subtracting, because adding could overflow.
		if left := o.TotalMinor - o.RefundedMinor; in.Amount > left {
			return done{}, refuse(http.StatusConflict, "amount %d is more than the %d left of order %s", in.Amount, left, o.OrderID)
		}
		o.payBack(in.Amount)
		return done{amountMinor: in.Amount, detail: in.Reason}, nil
	}
	return d.perform(r.Context(), c)
}

// cancel ends a pending order and pays all of it back.
func (d *Desk) cancel(r *http.Request) (answer, error) {
	var in struct {
		Customer string `json:"customer"`
		Reason   string `json:"reason"`
	}
	c, err := readChange(r, "cancel", &in, &in.Customer, &in.Reason)
	if err != nil {
		return answer{}, err
	}
	c.as = in.Customer
	c.apply = func(o *order) (done, error) {
		if err := o.must(pending, "cancelled"); err != nil {
			return done{}, err
		}
		left := o.TotalMinor - o.RefundedMinor
		o.payBack(left)
		o.Status, o.CancelReason = cancelled, in.Reason
		return done{amountMinor: left, detail: in.Reason}, nil
	}
	return d.perform(r.Context(), c)
}

// ship packs a pending order and hands it to a carrier. Nothing of it happens
// before the packing is over.
func (d *Desk) ship(r *http.Request) (answer, error) {
	var in struct {
		Customer string `json:"customer"`
		Carrier  string `json:"carrier"`
	}
	c, err := readChange(r, "ship", &in, &in.Customer, &in.Carrier)
	if err != nil {
		return answer{}, err
	}
	c.as, c.packs = in.Customer, true
	c.apply = func(o *order) (done, error) {
		if err := o.must(pending, "shipped"); err != nil {
			return done{}, err
		}
		id := o.send(in.Carrier, c.key)
		return done{detail: in.Carrier + " " + id, trackingID: id}, nil
	}
	return d.perform(r.Context(), c)
}

// notify writes to the customer.
func (d *Desk) notify(r *http.Request) (answer, error) {
	var in struct {
		Customer string `json:"customer"`
		Message  string `json:"message"`
	}
	c, err := readChange(r, "notify", &in, &in.Customer, &in.Message)
	if err != nil {
		return answer{}, err
	}
	c.as = in.Customer
	c.apply = func(*order) (done, error) { return done{detail: in.Message}, nil }
	return d.perform(r.Context(), c)
}

// readChange reads a change's key and body; the fields required must not be
// empty.
func readChange(r *http.Request, kind string, into any, required ...*string) (change, error) {
	body, err := readBody(r, into)
	if err != nil {
		return change{}, err
	}
	for _, field := range required {
		if *field == "" {
			return change{}, refuse(http.StatusBadRequest, "the body must have all of %q", fieldNames(into))
		}
	}
	return newChange(r, kind, body)
}
