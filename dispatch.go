package esm

import (
	"context"
	"errors"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/esm-go/esm/destination"
	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/internal/batch"
	"github.com/esm-go/esm/internal/condition"
	"github.com/esm-go/esm/internal/verdict"
)

// invocation is one call of the handler.
type invocation struct {
	Invocation
	parts   []part
	ctx     context.Context
	cancel  context.CancelFunc
	abort   context.CancelCauseFunc
	started time.Time
	took    time.Duration
	err     error
	// interrupted: the engine ended the context before the handler returned its error.
	interrupted bool
	// living counts the parts whose partition is still this member's.
	living int
	// copy is where the engine keeps what the handler was given for the first time, nil when it was no first time.
	copy *batch.Copy
	// ignored counts the items that a Lambda function named for nothing.
	ignored atomic.Int64
}

// ranges gives the offsets of a batch by partition.
func ranges(parts []part) map[string]OffsetRange {
	r := make(map[string]OffsetRange, len(parts))
	for _, p := range parts {
		r[p.Key] = OffsetRange{First: p.Records[0].Offset, Last: p.Records[len(p.Records)-1].Offset}
	}
	return r
}

// dispatch begins every invocation that is due, as far as there are workers: oldest first, be it a new batch or a part
// that failed and has waited.
func (m *member) dispatch(now time.Time) {
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
func (m *member) invokeAgain(now time.Time, p *partition) bool {
	m.retry.Remove(&p.Lane)
	if u := &p.Work[0]; len(u.Records) > m.settings.BatchSize { // BatchSize was made smaller meanwhile
		a, b := u.Split(m.settings.BatchSize)
		p.Work = append([]batch.Unit{a, b}, p.Work[1:]...)
	}
	if !m.expire(now, p) {
		return false
	}
	u := &p.Work[0]
	m.invoke(now, []part{{Lane: &p.Lane, Records: u.Records}}, u.Size+p.Overhead+m.settings.Envelope)
	return true
}

// invokeFresh fills and begins a new batch; false when nothing was left of it.
func (m *member) invokeFresh(now time.Time) bool {
	parts, _, size := m.pool.Take(m.settings.Limits)
	if m.settings.MaxAge > 0 {
		all := parts
		parts = parts[:0]
		for _, p := range all {
			before := p.Work[0].Size
			if m.expire(now, p.Owner) {
				size -= before - p.Work[0].Size
				parts = append(parts, part{Lane: p.Lane, Records: p.Work[0].Records})
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
func (m *member) expire(now time.Time, p *partition) bool {
	if m.settings.MaxAge <= 0 {
		return true
	}
	if m.shared.HasDestination {
		return m.sendExpired(now, p)
	}
	u := &p.Work[0]
	whole := *u
	gone := u.DropExpired(now, m.settings.MaxAge)
	if len(gone) == 0 {
		return true
	}
	if !m.drop(p, gone, DropRecordAge, u.Attempts) {
		*u = whole // whoever reads them next tells of them; here a stop is about to begin
		return false
	}
	p.leaderEpoch = u.LeaderEpoch
	m.shared.Meters.resolved(now, gone, len(gone))
	m.commits.mark(p)
	if len(u.Records) > 0 {
		return true
	}
	held := u.Held
	p.PopWork()
	m.release(p, held)
	if len(p.Work) == 0 {
		p.failures, p.lastErr, p.firstFailure = 0, nil, time.Time{}
	}
	m.settle(p, now)
	return false
}

// drop gives records up: counted, logged by their coordinates, told to the hook, which gets copies: what it was told of may stay
// here. False where a stop did not wait for the hook: they are not to be committed then.
func (m *member) drop(p *partition, records []event.KafkaRecord, why DropReason, attempts int) (told bool) {
	m.shared.Counters.Dropped.Add(int64(len(records)))
	m.shared.saidOfDrops.Error(m.shared.Log, time.Now(), "records dropped", "reason", why.String(), "partition", p.Key, "first", records[0].Offset,
		"last", records[len(records)-1].Offset, "records", len(records), "attempts", attempts, "err", p.lastErr)
	own, _ := batch.Detach(records)
	return m.shared.Hooks.Drop(DropInfo{TopicPartition: p.TopicPartition, Records: own, Reason: why, Attempts: attempts, Err: p.lastErr})
}

// invoke begins one invocation.
func (m *member) invoke(now time.Time, parts []part, size int) {
	inv := &invocation{parts: parts, started: now, living: len(parts)}
	inv.ID = m.shared.invocations.Add(1)
	inv.FunctionName, inv.UUID, inv.Bytes, inv.Attempt = *m.shared.Function.Load(), m.shared.UUID, size, 1
	inv.ReportBatchItemFailures = m.settings.Retry.Partial
	for _, p := range parts {
		p.Owner.inflight = inv
		inv.Records += len(p.Records)
	}
	if u := &parts[0].Work[0]; len(parts) == 1 && !u.FirstFailure.IsZero() {
		inv.Attempt, inv.FirstFailure = u.Tries+1, u.FirstFailure
	}
	ctx, abort := context.WithCancelCause(m.handlers)
	inv.abort, inv.cancel = abort, func() { abort(nil) }
	if d := m.shared.Config.InvocationTimeout; d > 0 {
		inv.Deadline = now.Add(d)
		timed, cancel := context.WithDeadlineCause(ctx, inv.Deadline, ErrInvocationTimeout)
		ctx, inv.cancel = timed, func() { cancel(); abort(nil) }
	}
	inv.ctx = event.WithInvocation(ctx, &inv.Invocation)
	inv.heed()
	m.flying[inv] = struct{}{}
	m.slot.held = false // the invocation has it now
	m.shared.Counters.Invoked.Add(int64(inv.Records))
	m.shared.Meters.begun(inv, m.settings.BatchSize)
	e := KafkaEvent{EventSource: event.SourceSelfManagedKafka, BootstrapServers: m.shared.Bootstrap, Records: m.handOut(inv)}
	go m.call(inv, e) // awaited by the loop through done, or named by a *StuckError
}

// call runs on the invocation's goroutine. What must happen in the end happens deferred, since a handler can end the
// goroutine with runtime.Goexit (as t.FailNow does).
func (m *member) call(inv *invocation, e KafkaEvent) {
	inv.err = errGoexit
	defer func() {
		inv.took = time.Since(inv.started)
		inv.interrupted = inv.err != nil && endedByEngine(inv.ctx)
		if m.shared.Hooks.Any() {
			m.shared.Hooks.BatchEnd(inv.ctx, func() BatchEndInfo {
				return BatchEndInfo{BatchInfo: inv.info(), Duration: inv.took, Err: inv.err, Interrupted: inv.interrupted}
			})
		}
		inv.cancel()
		select {
		case m.done <- inv:
		case <-m.closed: // it was left behind; the partitions that wait for it have another member, or will
			for _, part := range inv.parts {
				m.letGo(part.Owner.TopicPartition)
			}
		}
		m.shared.Left.Returned(inv)
	}()
	if m.shared.Hooks.Any() {
		m.shared.Hooks.BatchBegin(inv.ctx, inv.info)
	}
	inv.err = guard(inv.ctx, m.shared.Handler, e)
}

func (inv *invocation) info() BatchInfo {
	return BatchInfo{Invocation: inv.ID, Records: inv.Records, Bytes: inv.Bytes, Attempt: inv.Attempt, Partitions: ranges(inv.parts)}
}

// endedByEngine reports whether the engine ended a handler's context because it has to go, or its partitions went: what the
// handler says then is no verdict. The end by WithInvocationTimeout is one.
func endedByEngine(ctx context.Context) bool {
	cause := context.Cause(ctx)
	return errors.Is(cause, ErrStopping) || errors.Is(cause, ErrPartitionsGone)
}

// guard calls the handler and turns a panic into an error.
func guard(ctx context.Context, h Handler, e KafkaEvent) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &PanicError{Value: v, Stack: debug.Stack()}
		}
	}()
	return h(ctx, e)
}

// errGoexit is the outcome of a handler that ended its goroutine.
var errGoexit = errors.New("esm: the handler ended its goroutine (runtime.Goexit, or FailNow of a test)")

// finish takes in the end of an invocation.
func (m *member) finish(now time.Time, inv *invocation) {
	if _, flying := m.flying[inv]; !flying {
		m.returned(inv)
		return
	}
	delete(m.flying, inv)
	m.shared.Workers.Release()
	v := verdict.Classify(inv.err)
	if inv.interrupted || m.stop.phase != working && errors.Is(inv.err, context.Canceled) {
		// In a stop a handler may have gone by the context of Run, which has ended before its own.
		v.Outcome = verdict.Interrupted
	}
	m.heardOfFunction(now, inv, v)
	pol := m.settings.Retry
	var items [][]int
	if v.Partial {
		known := false
		if pol.Partial {
			items, known = verdict.ItemsIn(inv.parts, v.Items)
		}
		if v.Partial = known; !known && v.Outcome == verdict.Final {
			// An unknown item, or partial responses not asked for: the whole batch failed. Nothing said that all of it is
			// beyond mending, so none of it is dropped.
			v.Outcome = verdict.Failed
		}
	}
	m.count(now, inv, v, items)
	forgotten := true // nothing refers to the batch's copy any more
	for i, part := range inv.parts {
		p := part.Owner
		if !p.alive {
			forgotten = false
			m.letGo(p.TopicPartition)
			continue
		}
		p.inflight = nil
		u := p.Work[0]
		var mine []int
		if v.Partial {
			mine = items[i]
		}
		if v.Outcome != verdict.Succeeded && v.Outcome != verdict.Interrupted && (!v.Partial || len(mine) > 0) {
			p.lastErr = inv.err
		}
		next, gone, why := pol.Apply(u, v.Outcome, v.Partial, mine, now)
		forgotten = forgotten && len(next) == 0 && why == 0
		sends := why != 0 && m.shared.HasDestination
		untold := false
		switch {
		case sends:
			next = []batch.Unit{givenUp(u, gone, now)}
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
		m.shared.Meters.resolved(now, u.Records, resolved)
		if len(next) == 0 || next[0].First() > u.First() {
			p.leaderEpoch = u.LeaderEpoch
		}
		p.PopWork(next...)
		if len(next) == 0 {
			p.failures, p.firstFailure, p.lastErr = 0, time.Time{}, nil
		}
		m.release(p, held)
		m.commits.mark(p)
		if sends {
			m.handOver(now, p, destination.RetryAttemptsExhausted, responseOf(&p.Work[0], v.Partial))
		}
		if sends || p.phase != running {
			continue
		}
		if len(next) == 0 || v.Outcome == verdict.Interrupted || untold {
			m.settle(p, now)
			continue
		}
		p.failures++
		if p.failures == 1 {
			p.firstFailure, p.firstErr = now, inv.err
		}
		p.failedAt = now
		after := m.pauseAfter(p, inv, v)
		m.retryAt(p, now.Add(after))
		info := RetryInfo{TopicPartition: p.TopicPartition, First: next[0].First(), Last: next[len(next)-1].Last(),
			Attempts: next[0].Attempts, Failures: p.failures, After: after, Err: inv.err}
		for k := range next {
			info.Records += len(next[k].Records)
		}
		m.shared.saidOfRetries.Warn(m.shared.Log, now, "batch failed, trying again", "retry", info, "err", inv.err)
		m.shared.Counters.Retries.add(inv, v)
		m.shared.Hooks.Retry(info)
	}
	if forgotten && inv.copy != nil {
		m.shared.copies.Put(inv.copy)
	}
}

// mostlyDone reports whether a failure is a partial one that leaves more than half of the batch done.
func mostlyDone(inv *invocation, v verdict.Verdict, items [][]int) bool {
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
func (m *member) returned(inv *invocation) {
	for _, part := range inv.parts {
		if part.Owner.alive {
			part.Owner.inflight = nil
		} else {
			m.letGo(part.Owner.TopicPartition)
		}
	}
}

// letGo notes that an invocation of an assignment that is over has ended. With the last one, others may go on.
func (m *member) letGo(tp TopicPartition) {
	if m.shared.Orphans.LetGo(tp) {
		m.shared.Nudge()
	}
}

// count keeps the counters, the circuit and the last result of an invocation.
func (m *member) count(now time.Time, inv *invocation, v verdict.Verdict, items [][]int) {
	m.shared.Counters.Invokes.Add(1)
	if v.Outcome != verdict.Overloaded {
		m.shared.Counters.InvocationTime.Add(int64(inv.took))
	}
	if v.Outcome == verdict.Interrupted {
		m.shared.Log.Info("a handler was interrupted, its records are not resolved", "partitions", ranges(inv.parts), "err", inv.err)
		if m.shared.Circuit.Leave() {
			m.shared.Nudge()
		}
		return
	}
	m.shared.Meters.invocation.Add(int64(inv.took))
	ok := v.Outcome == verdict.Succeeded || mostlyDone(inv, v, items)
	var failing []TopicPartition
	if !ok {
		for _, p := range inv.parts {
			failing = append(failing, p.Owner.TopicPartition)
		}
	}
	opened, closed, nudge, streak := m.shared.Circuit.Ended(now, ok, failing, int(m.shared.Budget.Partitions.Load()))
	if opened {
		m.shared.Conditions.CircuitOpened(streak, m.shared.Config.Cooldown, inv.err)
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
