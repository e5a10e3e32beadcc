package run

import (
	"context"
	"time"
)

const (
	// probeInterval is how often a problem that a client reported once is checked again.
	probeInterval = 5 * time.Second
)

// watchConditions rechecks problems that clients reported once, and logs conditions every minute, until ctx ends.
func (r *Process) watchConditions(ctx context.Context) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	var look time.Time // when to check again; zero if there is nothing to check
	for {
		now := time.Now()
		if !look.IsZero() && !now.Before(look) {
			for _, p := range r.roster.list() {
				p.member.Probe(ctx, r.client.Topics)
			}
			now = time.Now()
			look = now.Add(probeInterval)
		}
		minute := r.shared.Conditions.EveryMinute(now)
		if !r.shared.Conditions.Any() {
			look = time.Time{}
		} else if look.IsZero() {
			look = now.Add(time.Second)
		}
		next := now.Add(time.Hour)
		for _, t := range []time.Time{minute, look} {
			if !t.IsZero() && t.Before(next) {
				next = t
			}
		}
		timer.Reset(next.Sub(now))
		select {
		case <-r.shared.Conditions.Changed:
		case <-timer.C:
		case <-ctx.Done():
			return
		}
	}
}
