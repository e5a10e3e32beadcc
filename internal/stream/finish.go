package stream

import (
	"context"
	"errors"
	"time"

	"github.com/esm-go/esm/destination"
	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/internal/batch"
	"github.com/esm-go/esm/internal/condition"
	"github.com/esm-go/esm/internal/partition"
	"github.com/esm-go/esm/internal/verdict"
	"github.com/esm-go/esm/observe"
)

// finish handles the end of an invocation.
func (m *Member) finish(now time.Time, inv *partition.Invocation) {
	if _, flying := m.flying[inv]; !flying {
		m.returned(inv)
		return
	}
	delete(m.flying, inv)
	m.shared.Workers.Release()
	v := verdict.Classify(inv.Err)
	if inv.Interrupted || m.stop.phase != working && errors.Is(inv.Err, context.Canceled) {
		// During a stop a handler may have followed Run's context, which ends before its own.
		v.Outcome = verdict.Interrupted
	}
	m.heardOfFunction(now, inv, v)
	pol := m.settings.Retry
	var items [][]int
	if v.Partial {
		known := false
		if pol.Partial {
			items, known = verdict.ItemsIn(inv.Parts, v.Items)
		}
		if v.Partial = known; !known && v.Outcome == verdict.Final {
			// An unknown item, or a partial response where the mapping has no FunctionResponseTypes: the whole batch
			// failed. The error is permanent for its items only, so no record is dropped.
			v.Outcome = verdict.Failed
		}
	}
	m.count(now, inv, v, items)
	forgotten := true // whether nothing refers to the batch's copy any longer
	for i, part := range inv.Parts {
		p := part.Owner
		if !p.Alive {
			forgotten = false
			m.letGo(p.TopicPartition)
			continue
		}
		p.Inflight = nil
		u := p.Work[0]
		var mine []int
		if v.Partial {
			mine = items[i]
		}
		if v.Outcome != verdict.Succeeded && v.Outcome != verdict.Interrupted && (!v.Partial || len(mine) > 0) {
			p.LastErr = inv.Err
		}
		next, gone, why := pol.Apply(u, v.Outcome, v.Partial, mine, now)
		forgotten = forgotten && len(next) == 0 && why == 0
		sends := why != 0 && m.shared.HasDestination
		untold := false
		switch {
		case sends:
			next = []batch.Unit{partition.GivenUp(u, gone, now)}
		case why != 0:
			if untold = !m.drop(p, gone, why, u.Attempts+1); untold {
				next = []batch.Unit{u} // the next consumer reports the drop
			}
		}
		held, resolved := u.Held, len(u.Records)
		for k := range next {
			held -= next[k].Held
			resolved -= len(next[k].Records)
		}
		m.shared.Counters.Resolved.Add(int64(resolved))
		m.shared.Meters.Resolved(now, u.Records, resolved)
		if len(next) == 0 || next[0].First() > u.First() {
			p.LeaderEpoch = u.LeaderEpoch
		}
		p.PopWork(next...)
		if len(next) == 0 {
			p.Failures, p.FirstFailure, p.LastErr = 0, time.Time{}, nil
		}
		m.release(p, held)
		m.commits.Mark(p)
		if sends {
			m.handOver(now, p, destination.RetryAttemptsExhausted, partition.ResponseOf(&p.Work[0], v.Partial))
		}
		if sends || p.Phase != partition.Running {
			continue
		}
		if len(next) == 0 || v.Outcome == verdict.Interrupted || untold {
			m.settle(p, now)
			continue
		}
		p.Failures++
		if p.Failures == 1 {
			p.FirstFailure, p.FirstErr = now, inv.Err
		}
		p.FailedAt = now
		after := m.pauseAfter(p, inv, v)
		m.retryAt(p, now.Add(after))
		info := observe.RetryInfo{TopicPartition: p.TopicPartition, First: next[0].First(), Last: next[len(next)-1].Last(),
			Attempts: next[0].Attempts, Failures: p.Failures, After: after, Err: inv.Err}
		for k := range next {
			info.Records += len(next[k].Records)
		}
		m.shared.SaidOfRetries.Warn(m.shared.Log, now, "batch failed, trying again", "retry", info, "err", inv.Err)
		m.countRetry(inv, v)
		m.shared.Hooks.Retry(info)
	}
	if forgotten && inv.Copy != nil {
		m.shared.Copies.Put(inv.Copy)
	}
}

// mostlyDone reports whether a failure is partial and leaves more than half of the batch done.
func mostlyDone(inv *partition.Invocation, v verdict.Verdict, items [][]int) bool {
	if !v.Partial {
		return false
	}
	bad := 0
	for _, mine := range items {
		bad += len(mine)
	}
	return 2*bad < inv.Records
}

// returned handles the end of an invocation that was left behind. It resolves nothing, as its *StuckError said.
func (m *Member) returned(inv *partition.Invocation) {
	for _, part := range inv.Parts {
		if part.Owner.Alive {
			part.Owner.Inflight = nil
		} else {
			m.letGo(part.Owner.TopicPartition)
		}
	}
}

// letGo records the end of an invocation of an ended assignment. The last one lets waiting partitions continue.
func (m *Member) letGo(tp event.TopicPartition) {
	if m.shared.Orphans.LetGo(tp) {
		m.shared.Nudge()
	}
}

// count updates the counters, the circuit and the last result after an invocation.
func (m *Member) count(now time.Time, inv *partition.Invocation, v verdict.Verdict, items [][]int) {
	m.shared.Counters.Invokes.Add(1)
	if v.Outcome != verdict.Overloaded {
		m.shared.Counters.InvocationTime.Add(int64(inv.Took))
	}
	if v.Outcome == verdict.Interrupted {
		m.shared.Log.Info("a handler was interrupted, its records are not resolved", "batch", partition.Ranges(inv.Parts), "err", inv.Err)
		if m.shared.Circuit.Leave() {
			m.shared.Nudge()
		}
		return
	}
	m.shared.Meters.Invocation.Add(int64(inv.Took))
	ok := v.Outcome == verdict.Succeeded || mostlyDone(inv, v, items)
	var failing []event.TopicPartition
	if !ok {
		for _, p := range inv.Parts {
			failing = append(failing, p.Owner.TopicPartition)
		}
	}
	opened, closed, nudge, streak := m.shared.Circuit.Ended(now, ok, failing, int(m.shared.Budget.Partitions.Load()))
	if opened {
		m.shared.Conditions.CircuitOpened(streak, m.shared.Config.Cooldown, inv.Err)
	}
	if closed {
		m.shared.Conditions.CircuitClosed()
	}
	if nudge {
		m.followCircuit(now)
		m.shared.Nudge()
	}
	if v.Outcome == verdict.Succeeded {
		m.shared.Conditions.SetResult(condition.ResultOK)
		return
	}
	m.shared.Counters.InvokeErrors.Add(1)
	m.shared.Counters.Failed.Add(int64(inv.Records))
	if v.Outcome == verdict.Overloaded {
		m.shared.Counters.Throttles.Add(1)
	}
	m.shared.Conditions.SetResult(condition.ResultFunctionFailed)
}
