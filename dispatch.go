package esm

import (
	"context"
	"errors"
	"runtime/debug"
	"time"

	"github.com/esm-go/esm/event"
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
	copy *keepsake
}

// part is one partition's records in a batch, as the engine keeps them: the handler never sees this slice.
type part struct {
	p       *partition
	records []event.KafkaRecord
}

// ranges gives the offsets of a batch by partition.
func ranges(parts []part) map[string]OffsetRange {
	r := make(map[string]OffsetRange, len(parts))
	for _, p := range parts {
		r[p.p.key] = OffsetRange{p.records[0].Offset, p.records[len(p.records)-1].Offset}
	}
	return r
}

// dispatch begins every invocation that is due, as far as there are workers: oldest first, be it a new batch or a part
// that failed and has waited.
func (m *member) dispatch(now time.Time) {
	defer m.spare()
	if m.stop.phase != working || m.paused {
		return
	}
	for {
		again := m.retry.head()
		if again != nil && again.place.at.After(now) {
			m.at(again.place.at)
			again = nil
		}
		fresh := m.pool.due(now, m.settings.limits)
		if again == nil && !fresh {
			if t, ok := m.pool.deadline(m.settings.limits); ok {
				m.at(t)
			}
			return
		}
		if !m.acquire() {
			return
		}
		if ok, until := m.circuit.enter(now); !ok {
			if !until.IsZero() {
				m.at(until)
			}
			return
		}
		var began bool
		if again != nil && (!fresh || !m.pool.head().place.at.Before(again.place.at)) {
			began = m.invokeAgain(now, again)
		} else {
			began = m.invokeFresh(now)
		}
		if !began && m.circuit.leave() {
			m.crew.nudge()
		}
	}
}

// invokeAgain tries a partition's head unit once more; false when nothing of it was left to try.
func (m *member) invokeAgain(now time.Time, p *partition) bool {
	m.retry.remove(p)
	if u := &p.work[0]; len(u.records) > m.settings.size { // BatchSize was made smaller meanwhile
		a, b := u.split(m.settings.size)
		p.work = append([]unit{a, b}, p.work[1:]...)
	}
	if !m.expire(now, p) {
		return false
	}
	u := &p.work[0]
	m.invoke(now, []part{{p, u.records}}, u.size+p.overhead+m.settings.envelope)
	return true
}

// invokeFresh fills and begins a new batch; false when nothing was left of it.
func (m *member) invokeFresh(now time.Time) bool {
	parts, _, size := m.pool.take(m.settings.limits)
	if m.settings.maxAge > 0 {
		all := parts
		parts = parts[:0]
		for _, p := range all {
			before := p.p.work[0].size
			if m.expire(now, p.p) {
				size -= before - p.p.work[0].size
				parts = append(parts, part{p.p, p.p.work[0].records})
			} else {
				size -= before + p.p.overhead
			}
		}
	}
	if len(parts) == 0 {
		return false
	}
	m.invoke(now, parts, size)
	return true
}

// expire drops the records of a partition's head unit that are too old; false when none is left.
func (m *member) expire(now time.Time, p *partition) bool {
	if m.settings.maxAge <= 0 {
		return true
	}
	u := &p.work[0]
	gone := u.dropExpired(now, m.settings.maxAge)
	if len(gone) == 0 {
		return true
	}
	m.drop(p, gone, DropRecordAge, u.attempts)
	m.markDirty(p)
	if len(u.records) > 0 {
		return true
	}
	held := u.held
	p.popWork()
	m.release(p, held)
	if len(p.work) == 0 {
		p.failures, p.lastErr, p.firstFailure = 0, nil, time.Time{}
	}
	m.settle(p, now)
	return false
}

// drop gives records up: counted, logged by their coordinates, told to the hook. False where a stop did not wait for the hook:
// they are not to be committed then.
func (m *member) drop(p *partition, records []event.KafkaRecord, why DropReason, attempts int) (told bool) {
	m.counters.dropped.Add(int64(len(records)))
	m.saidOfDrops.error(m.log, time.Now(), "records dropped", "reason", why.String(), "partition", p.key, "first", records[0].Offset,
		"last", records[len(records)-1].Offset, "records", len(records), "attempts", attempts, "err", p.lastErr)
	return m.hooks.drop(DropInfo{TopicPartition: p.TopicPartition, Records: records, Reason: why, Attempts: attempts, Err: p.lastErr})
}

// invoke begins one invocation.
func (m *member) invoke(now time.Time, parts []part, size int) {
	inv := &invocation{parts: parts, started: now, living: len(parts)}
	inv.ID = m.invocations.Add(1)
	inv.FunctionName, inv.UUID, inv.Bytes, inv.Attempt = m.functionName, m.uuid, size, 1
	inv.ReportBatchItemFailures = m.settings.retry.partial
	for _, p := range parts {
		p.p.inflight = inv
		inv.Records += len(p.records)
	}
	if u := &parts[0].p.work[0]; len(parts) == 1 && !u.firstFailure.IsZero() {
		inv.Attempt, inv.FirstFailure = u.tries+1, u.firstFailure
	}
	ctx, abort := context.WithCancelCause(m.handlers)
	inv.abort, inv.cancel = abort, func() { abort(nil) }
	if d := m.opts.invocationTimeout; d > 0 {
		inv.Deadline = now.Add(d)
		timed, cancel := context.WithDeadlineCause(ctx, inv.Deadline, ErrInvocationTimeout)
		ctx, inv.cancel = timed, func() { cancel(); abort(nil) }
	}
	inv.ctx = event.WithInvocation(ctx, &inv.Invocation)
	m.flying[inv] = struct{}{}
	m.slot = false // the invocation has it now
	m.counters.invoked.Add(int64(inv.Records))
	e := KafkaEvent{EventSource: event.SourceSelfManagedKafka, BootstrapServers: m.bootstrap, Records: m.handOut(inv)}
	go m.call(inv, e) // awaited by the loop through done, or named by a *StuckError
}

// call runs on the invocation's goroutine. What must happen in the end happens deferred, since a handler can end the
// goroutine with runtime.Goexit (as t.FailNow does).
func (m *member) call(inv *invocation, e KafkaEvent) {
	inv.err = errGoexit
	defer func() {
		inv.took = time.Since(inv.started)
		inv.interrupted = inv.err != nil && endedByEngine(inv.ctx)
		if len(m.hooks.list) > 0 {
			m.hooks.batchEnd(inv.ctx, func() BatchEndInfo { return BatchEndInfo{inv.info(), inv.took, inv.err, inv.interrupted} })
		}
		inv.cancel()
		select {
		case m.done <- inv:
		case <-m.closed: // it was left behind; the partitions that wait for it have another member, or will
			for _, part := range inv.parts {
				m.crew.exorcise(part.p.TopicPartition)
			}
		}
		m.left.returned(inv)
	}()
	if len(m.hooks.list) > 0 {
		m.hooks.batchBegin(inv.ctx, inv.info)
	}
	inv.err = guard(inv.ctx, m.handler, e)
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
	m.workers.release()
	v := classify(inv.err)
	if inv.interrupted || m.stop.phase != working && errors.Is(inv.err, context.Canceled) {
		// In a stop a handler may have gone by the context of Run, which has ended before its own.
		v.outcome = interrupted
	}
	pol := m.settings.retry
	var items [][]int
	if v.partial {
		known := false
		if pol.partial {
			items, known = itemsIn(inv.parts, v.items)
		} else {
			m.misconfigured(errUnasked)
		}
		if v.partial = known; !known && v.outcome == permanent {
			// An unknown item, or partial responses not asked for: the whole batch failed. Nothing said that all of it is
			// beyond mending, so none of it is dropped.
			v.outcome = failed
		}
	}
	m.count(now, inv, v, items)
	forgotten := true // nothing refers to the batch's copy any more
	for i, part := range inv.parts {
		p := part.p
		if !p.alive {
			forgotten = false
			m.crew.exorcise(p.TopicPartition)
			continue
		}
		p.inflight = nil
		u := p.work[0]
		var mine []int
		if v.partial {
			mine = items[i]
		}
		if v.outcome != succeeded && v.outcome != interrupted && (!v.partial || len(mine) > 0) {
			p.lastErr = inv.err
		}
		next, gone, why := pol.apply(u, v.outcome, v.partial, mine, now)
		forgotten = forgotten && len(next) == 0 && why == 0
		untold := why != 0 && !m.drop(p, gone, why, u.attempts+1)
		if untold {
			next = []unit{u} // whoever reads them next tells of them
		}
		held, resolved := u.held, len(u.records)
		for k := range next {
			held -= next[k].held
			resolved -= len(next[k].records)
		}
		m.counters.resolved.Add(int64(resolved))
		p.popWork(next...)
		if len(next) == 0 {
			p.leaderEpoch = u.leaderEpoch
			p.failures, p.firstFailure, p.lastErr = 0, time.Time{}, nil
		}
		m.release(p, held)
		m.markDirty(p)
		if p.phase != running {
			continue
		}
		if len(next) == 0 || v.outcome == interrupted || untold {
			m.settle(p, now)
			continue
		}
		p.failures++
		if p.failures == 1 {
			p.firstFailure = now
		}
		after := m.opts.backoff.after(p.failures, m.rng)
		m.retry.add(p, now.Add(after))
		info := RetryInfo{TopicPartition: p.TopicPartition, First: next[0].first(), Last: next[len(next)-1].last(),
			Attempts: next[0].attempts, Failures: p.failures, After: after, Err: inv.err}
		for k := range next {
			info.Records += len(next[k].records)
		}
		m.saidOfRetries.warn(m.log, now, "batch failed, trying again", "retry", info, "err", inv.err)
		m.hooks.retry(info)
	}
	if forgotten && inv.copy != nil {
		m.copies.put(inv.copy)
	}
}

// errUnasked is what stands while a handler names items without FunctionResponseTypes.
var errUnasked = errors.New("the handler returned ItemFailures, but the mapping has no FunctionResponseTypes: its whole batch failed; " +
	"set FunctionResponseTypes to ReportBatchItemFailures")

// mostlyDone reports whether a failure is a partial one that leaves more than half of the batch done.
func mostlyDone(inv *invocation, v verdict, items [][]int) bool {
	if !v.partial {
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
		if part.p.alive {
			part.p.inflight = nil
		} else {
			m.crew.exorcise(part.p.TopicPartition)
		}
	}
}

// count keeps the counters, the circuit and the last result of an invocation.
func (m *member) count(now time.Time, inv *invocation, v verdict, items [][]int) {
	m.counters.invokes.Add(1)
	if v.outcome != throttled {
		m.counters.invocationTime.Add(int64(inv.took))
	}
	if v.outcome == interrupted {
		m.log.Info("a handler was interrupted, its records are not resolved", "partitions", ranges(inv.parts), "err", inv.err)
		if m.circuit.leave() {
			m.crew.nudge()
		}
		return
	}
	opened, closed, nudge, streak := m.circuit.ended(now, v.outcome == succeeded || mostlyDone(inv, v, items), inv.parts, int(m.budget.partitions.Load()))
	if opened {
		m.circuitOpened(streak, inv.err)
	}
	if closed {
		m.circuitClosed()
	}
	if nudge {
		m.heed(now)
		m.crew.nudge()
	}
	if v.outcome == succeeded {
		m.setResult(resultOK)
		return
	}
	m.counters.invokeErrors.Add(1)
	m.counters.failed.Add(int64(inv.Records))
	if v.outcome == throttled {
		m.counters.throttles.Add(1)
	}
	m.setResult(resultFunctionFailed)
}
