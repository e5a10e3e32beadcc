package run

import (
	"fmt"
	"time"

	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/internal/condition"
	"github.com/esm-go/esm/observe"
)

const (
	// healthPatience is how long a problem that may resolve itself can last before it makes the mapping unhealthy.
	healthPatience = time.Minute
)

// Healthy is esm.Runner.Healthy.
func (r *Process) Healthy() error {
	unlock := r.lock()
	pollers, ended, state, ready, since := r.roster.list(), r.ended, r.state, r.isReady, r.enabledAt
	unlock()
	now := time.Now()
	if ended {
		return fmt.Errorf("%w: Run has ended", observe.ErrUnhealthy)
	}
	if at, _ := r.shared.Stopping.Times(); state == "" || state == observe.Disabled || !at.IsZero() {
		return nil
	}
	standing := r.shared.Conditions.List()
	result, _ := r.shared.Conditions.LastResult(standing)
	sick := func(at time.Time, what string) error {
		return fmt.Errorf("%w: %s since %s; last result: %s", observe.ErrUnhealthy, what, at.Format(time.RFC3339), result)
	}
	for _, p := range pollers {
		if at, what := p.member.Sick(now); what != "" {
			return sick(at, what)
		}
	}
	for i := range standing {
		if c := &standing[i]; sickens(c) && now.Sub(c.Since) >= healthPatience {
			return sick(c.Since, says(c))
		}
	}
	if !ready && !since.IsZero() && now.Sub(since) >= healthPatience {
		return sick(since, "no assignment of the group has been started: the mapping has waited for one")
	}
	if until, stuck := r.shared.Circuit.Stuck(); stuck && now.Sub(until) >= healthPatience {
		for _, p := range pollers {
			if p.member.WaitsForCircuit.Load() {
				return sick(until, "the circuit is open although its cooldown has ended, and nothing is tried")
			}
		}
	}
	return nil
}

// sickens reports whether a lasting condition makes the mapping unhealthy.
func sickens(c *observe.Condition) bool {
	switch c.Op {
	case observe.OpPoll:
		return c.Kind != driver.KindOther.String() || c.TopicPartition.Topic != ""
	case observe.OpStart, observe.OpCommit, observe.OpCredentials:
		return true
	}
	return false
}

// says describes a condition for an operator.
func says(c *observe.Condition) string {
	what := map[observe.Op]string{observe.OpPoll: "the event source: " + c.Kind, observe.OpStart: "starts cannot be looked up", observe.OpCommit: "commits fail",
		observe.OpCredentials: "the secrets cannot be read"}[c.Op]
	return fmt.Sprintf("%s%s (%v)", what, condition.Whereof(c, " of "), c.Err)
}
