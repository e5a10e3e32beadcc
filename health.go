package esm

import (
	"fmt"
	"time"

	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/internal/condition"
)

const (
	// healthPatience is how long what may heal by itself may last before it makes a mapping unhealthy.
	healthPatience = time.Minute
)

// Healthy reports whether the mapping works, for liveness and readiness probes: nil, or an error that wraps ErrUnhealthy
// and says what is wrong since when. It never waits for the mapping. These make it unhealthy:
//
//   - The mapping was enabled a minute ago and its first assignment is not started yet: no broker answers, the password is
//     wrong, the secrets cannot be read.
//   - A condition of the event source has stood for a minute (Status lists those that stand): a broker that a partition of
//     this process needs cannot be reached, or refuses the credentials, an ACL or a setting; a topic is missing; a partition
//     cannot be read, or its start be looked up; a commit fails that is still needed.
//   - The group took everything away a minute ago and has given nothing back, not even the word that there is nothing.
//   - The circuit of WithCircuitBreaker is open, its cooldown ended a minute ago, and partitions still wait for it.
//   - The loop has been busy with one thing for 30 s: a hook blocks. Or the client has not returned from a poll for 30 s and
//     WithRevokeTimeout.
//   - Run has ended.
//
// These do not: a handler that fails or blocks, and the circuit that is open because of it; memory that is full; the lag;
// a new secret that does not work while the old one does; being a member to which the group gives no partition. Before Run,
// while the mapping is disabled and while Run stops, it is nil.
func (r *Runner) Healthy() error {
	unlock := r.lock()
	pollers, ended, state, ready, since := r.roster.list(), r.ended, r.state, r.isReady, r.enabledAt
	unlock()
	now := time.Now()
	if ended {
		return fmt.Errorf("%w: Run has ended", ErrUnhealthy)
	}
	if at, _ := r.shared.Stopping.Times(); state == "" || state == Disabled || !at.IsZero() {
		return nil
	}
	standing := r.shared.Conditions.List()
	result, _ := r.shared.Conditions.LastResult(standing)
	sick := func(at time.Time, what string) error {
		return fmt.Errorf("%w: %s since %s; last result: %s", ErrUnhealthy, what, at.Format(time.RFC3339), result)
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
			if p.member.waitsForCircuit.Load() {
				return sick(until, "the circuit is open although its cooldown has ended, and nothing is tried")
			}
		}
	}
	return nil
}

// sickens reports whether a condition that lasts makes the mapping unhealthy.
func sickens(c *Condition) bool {
	switch c.Op {
	case OpPoll:
		return c.Kind != driver.KindOther.String() || c.TopicPartition.Topic != ""
	case OpStart, OpCommit, OpCredentials:
		return true
	}
	return false
}

// says names a condition for an operator.
func says(c *Condition) string {
	what := map[Op]string{OpPoll: "the event source: " + c.Kind, OpStart: "starts cannot be looked up", OpCommit: "commits fail",
		OpCredentials: "the secrets cannot be read"}[c.Op]
	return fmt.Sprintf("%s%s (%v)", what, condition.Whereof(c, " of "), c.Err)
}
