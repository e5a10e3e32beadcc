package run

import (
	"context"
	"time"
)

const (
	// probeInterval is how often what a client reported once is looked at again.
	probeInterval = 5 * time.Second
)

// watchConditions looks again at what clients reported once, and writes the line of the minute, until ctx ends.
func (r *Process) watchConditions(ctx context.Context) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	var look time.Time // when to look again; zero when there is nothing to look at
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
