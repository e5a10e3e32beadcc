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

// dispatch begins every invocation that is due, as far as there are workers: oldest first, be it a new batch or a part
// that failed and has waited.
func (m *Member) dispatch(now time.Time) {
	defer m.giveBackSlot()
	if m.stop.phase != working || m.flow.paused {
		return
	}
	for {
		again := m.retry.Head()
		if again != nil && again.At().After(now) {
			m.at(again.At())
			again = nil
		}
		fresh := m.pool.Due(now, m.settings.Limits)
		if again == nil && !fresh {
			if t, ok := m.pool.Deadline(m.settings.Limits); ok {
				m.at(t)
			}
			return
		}
		if !m.acquire() {
			return
		}
		if ok, until := m.shared.Circuit.Enter(now); !ok {
			if !until.IsZero() {
				m.at(until)
			}
			return
		}
		var began bool
		if again != nil && (!fresh || !m.pool.Head().At().Before(again.At())) {
			began = m.invokeAgain(now, again.Owner)
		} else {
			began = m.invokeFresh(now)
		}
		if !began && m.shared.Circuit.Leave() {
			m.shared.Nudge()
		}
	}
}

// invokeAgain tries a partition's head unit once more; false when nothing of it was left to try.
func (m *Member) invokeAgain(now time.Time, p *partition.Partition) bool {
	m.retry.Remove(&p.Lane)
	if u := &p.Work[0]; len(u.Records) > m.settings.BatchSize { // BatchSize was made smaller meanwhile
		a, b := u.Split(m.settings.BatchSize)
		p.Work = append([]batch.Unit{a, b}, p.Work[1:]...)
	}
	if !m.expire(now, p) {
		return false
	}
	u := &p.Work[0]
	m.invoke(now, []partition.Part{{Lane: &p.Lane, Records: u.Records}}, u.Size+p.Overhead+m.settings.Envelope)
	return true
}

// invokeFresh fills and begins a new batch; false when nothing was left of it.
func (m *Member) invokeFresh(now time.Time) bool {
	parts, _, size := m.pool.Take(m.settings.Limits)
	if m.settings.MaxAge > 0 {
		all := parts
		parts = parts[:0]
		for _, p := range all {
			before := p.Work[0].Size
			if m.expire(now, p.Owner) {
				size -= before - p.Work[0].Size
				parts = append(parts, partition.Part{Lane: p.Lane, Records: p.Work[0].Records})
			} else {
				size -= before + p.Overhead
			}
		}
	}
	if len(parts) == 0 {
		return false
	}
	if m.shared.HasDestination && size > m.settings.Payload && len(parts) == 1 && len(parts[0].Records) == 1 {
		m.handOver(now, parts[0].Owner, destination.MaximumPayloadSizeExceeded, nil)
		return false
	}
	m.invoke(now, parts, size)
	return true
}

// expire drops the records of a partition's head unit that are too old; false when none is left.
func (m *Member) expire(now time.Time, p *partition.Partition) bool {
	if m.settings.MaxAge <= 0 {
		return true
	}
	if m.shared.HasDestination {
		return m.sendExpired(now, p)
	}
	u := &p.Work[0]
	gone := u.DropExpired(now, m.settings.MaxAge)
	if len(gone) == 0 {
		return true
	}
	p.LeaderEpoch = u.LeaderEpoch
	m.drop(p, gone, observe.DropRecordAge, u.Attempts)
	m.commits.mark(p)
	if len(u.Records) > 0 {
		return true
	}
	held := u.Held
	p.PopWork()
	m.release(p, held)
	if len(p.Work) == 0 {
		p.Failures, p.LastErr, p.FirstFailure = 0, nil, time.Time{}
	}
	m.settle(p, now)
	return false
}

// drop gives records up: counted, logged by their coordinates, told to the hook. False where a stop did not wait for the hook:
// they are not to be committed then.
func (m *Member) drop(p *partition.Partition, records []event.KafkaRecord, why observe.DropReason, attempts int) (told bool) {
	m.shared.Counters.Dropped.Add(int64(len(records)))
	m.shared.SaidOfDrops.Error(m.shared.Log, time.Now(), "records dropped", "reason", why.String(), "partition", p.Key, "first", records[0].Offset,
		"last", records[len(records)-1].Offset, "records", len(records), "attempts", attempts, "err", p.LastErr)
	return m.shared.Hooks.Drop(observe.DropInfo{TopicPartition: p.TopicPartition, Records: records, Reason: why, Attempts: attempts, Err: p.LastErr})
}

// invoke begins one invocation.
func (m *Member) invoke(now time.Time, parts []partition.Part, size int) {
	inv := &partition.Invocation{Parts: parts, Started: now, Living: len(parts)}
	inv.ID = m.shared.Invocations.Add(1)
	inv.FunctionName, inv.UUID, inv.Bytes, inv.Attempt = m.shared.FunctionName, m.shared.UUID, size, 1
	inv.ReportBatchItemFailures = m.settings.Retry.Partial
	for _, p := range parts {
		p.Owner.Inflight = inv
		inv.Records += len(p.Records)
	}
	if u := &parts[0].Work[0]; len(parts) == 1 && !u.FirstFailure.IsZero() {
		inv.Attempt, inv.FirstFailure = u.Tries+1, u.FirstFailure
	}
	ctx, abort := context.WithCancelCause(m.handlers)
	inv.Abort, inv.Cancel = abort, func() { abort(nil) }
	if d := m.shared.Config.InvocationTimeout; d > 0 {
		inv.Deadline = now.Add(d)
		timed, cancel := context.WithDeadlineCause(ctx, inv.Deadline, observe.ErrInvocationTimeout)
		ctx, inv.Cancel = timed, func() { cancel(); abort(nil) }
	}
	inv.Ctx = event.WithInvocation(ctx, &inv.Invocation)
	m.flying[inv] = struct{}{}
	m.slot.held = false // the invocation has it now
	m.shared.Counters.Invoked.Add(int64(inv.Records))
	e := event.KafkaEvent{EventSource: event.SourceSelfManagedKafka, BootstrapServers: m.shared.Bootstrap, Records: inv.HandOut(&m.shared.Copies)}
	go m.call(inv, e) // awaited by the loop through done, or named by a *StuckError
}

// call runs on the invocation's goroutine. What must happen in the end happens deferred, since a handler can end the
// goroutine with runtime.Goexit (as t.FailNow does).
func (m *Member) call(inv *partition.Invocation, e event.KafkaEvent) {
	inv.Err = partition.ErrGoexit
	defer func() {
		inv.Took = time.Since(inv.Started)
		inv.Interrupted = inv.Err != nil && partition.EndedByEngine(inv.Ctx)
		if m.shared.Hooks.Any() {
			m.shared.Hooks.BatchEnd(inv.Ctx, func() observe.BatchEndInfo {
				return observe.BatchEndInfo{BatchInfo: inv.Info(), Duration: inv.Took, Err: inv.Err, Interrupted: inv.Interrupted}
			})
		}
		inv.Cancel()
		select {
		case m.done <- inv:
		case <-m.closed: // it was left behind; the partitions that wait for it have another member, or will
			for _, part := range inv.Parts {
				m.letGo(part.Owner.TopicPartition)
			}
		}
		m.shared.Left.Returned(inv)
	}()
	if m.shared.Hooks.Any() {
		m.shared.Hooks.BatchBegin(inv.Ctx, inv.Info)
	}
	inv.Err = partition.Guard(inv.Ctx, m.shared.Handler, e)
}

// finish takes in the end of an invocation.
func (m *Member) finish(now time.Time, inv *partition.Invocation) {
	if _, flying := m.flying[inv]; !flying {
		m.returned(inv)
		return
	}
	delete(m.flying, inv)
	m.shared.Workers.Release()
	v := verdict.Classify(inv.Err)
	if inv.Interrupted || m.stop.phase != working && errors.Is(inv.Err, context.Canceled) {
		// In a stop a handler may have gone by the context of Run, which has ended before its own.
		v.Outcome = verdict.Interrupted
	}
	pol := m.settings.Retry
	var items [][]int
	if v.Partial {
		known := false
		if pol.Partial {
			items, known = verdict.ItemsIn(inv.Parts, v.Items)
		} else {
			m.shared.Conditions.Misconfigured(errUnasked)
		}
		if v.Partial = known; !known && v.Outcome == verdict.Final {
			// An unknown item, or partial responses not asked for: the whole batch failed. Nothing said that all of it is
			// beyond mending, so none of it is dropped.
			v.Outcome = verdict.Failed
		}
	}
	m.count(now, inv, v, items)
	forgotten := true // nothing refers to the batch's copy any more
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
				next = []batch.Unit{u} // whoever reads them next tells of them
			}
		}
		held, resolved := u.Held, len(u.Records)
		for k := range next {
			held -= next[k].Held
			resolved -= len(next[k].Records)
		}
		m.shared.Counters.Resolved.Add(int64(resolved))
		if len(next) == 0 || next[0].First() > u.First() {
			p.LeaderEpoch = u.LeaderEpoch
		}
		p.PopWork(next...)
		if len(next) == 0 {
			p.Failures, p.FirstFailure, p.LastErr = 0, time.Time{}, nil
		}
		m.release(p, held)
		m.commits.mark(p)
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
			p.FirstFailure = now
		}
		after := m.shared.Config.Backoff.After(p.Failures, m.rng)
		m.retry.Add(&p.Lane, now.Add(after))
		info := observe.RetryInfo{TopicPartition: p.TopicPartition, First: next[0].First(), Last: next[len(next)-1].Last(),
			Attempts: next[0].Attempts, Failures: p.Failures, After: after, Err: inv.Err}
		for k := range next {
			info.Records += len(next[k].Records)
		}
		m.shared.SaidOfRetries.Warn(m.shared.Log, now, "batch failed, trying again", "retry", info, "err", inv.Err)
		m.shared.Hooks.Retry(info)
	}
	if forgotten && inv.Copy != nil {
		m.shared.Copies.Put(inv.Copy)
	}
}

// errUnasked is what stands while a handler names items without FunctionResponseTypes.
var errUnasked = errors.New("the handler returned ItemFailures, but the mapping has no FunctionResponseTypes: its whole batch failed; " +
	"set FunctionResponseTypes to ReportBatchItemFailures")

// mostlyDone reports whether a failure is a partial one that leaves more than half of the batch done.
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

// returned takes in the end of an invocation that was left behind. It resolves nothing, as its *StuckError said.
func (m *Member) returned(inv *partition.Invocation) {
	for _, part := range inv.Parts {
		if part.Owner.Alive {
			part.Owner.Inflight = nil
		} else {
			m.letGo(part.Owner.TopicPartition)
		}
	}
}

// letGo notes that an invocation of an assignment that is over has ended. With the last one, others may go on.
func (m *Member) letGo(tp event.TopicPartition) {
	if m.shared.Orphans.LetGo(tp) {
		m.shared.Nudge()
	}
}

// count keeps the counters, the circuit and the last result of an invocation.
func (m *Member) count(now time.Time, inv *partition.Invocation, v verdict.Verdict, items [][]int) {
	m.shared.Counters.Invokes.Add(1)
	if v.Outcome != verdict.Overloaded {
		m.shared.Counters.InvocationTime.Add(int64(inv.Took))
	}
	if v.Outcome == verdict.Interrupted {
		m.shared.Log.Info("a handler was interrupted, its records are not resolved", "partitions", partition.Ranges(inv.Parts), "err", inv.Err)
		if m.shared.Circuit.Leave() {
			m.shared.Nudge()
		}
		return
	}
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
