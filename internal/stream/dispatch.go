package stream

import (
	"context"
	"time"

	"github.com/esm-go/esm/destination"
	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/internal/batch"
	"github.com/esm-go/esm/internal/partition"
	"github.com/esm-go/esm/observe"
)

// dispatch starts every invocation that is due, as far as there are workers, oldest first. An invocation is a new
// batch, or a failed unit whose wait is over.
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

// invokeAgain retries a partition's head unit. It returns false if no record of the unit is left to retry.
func (m *Member) invokeAgain(now time.Time, p *partition.Partition) bool {
	m.retry.Remove(&p.Lane)
	if u := &p.Work[0]; len(u.Records) > m.settings.BatchSize { // BatchSize has become smaller since
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

// invokeFresh takes a new batch and invokes the handler with it. It returns false if no record was left in it.
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

// expire drops the records of a partition's head unit that are too old. It returns false if none is left.
func (m *Member) expire(now time.Time, p *partition.Partition) bool {
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
	if !m.drop(p, gone, observe.DropRecordAge, u.Attempts) {
		*u = whole // a stop is about to begin here; the next consumer reports the drop
		return false
	}
	p.LeaderEpoch = u.LeaderEpoch
	m.shared.Meters.Resolved(now, gone, len(gone))
	m.commits.Mark(p)
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

// drop gives records up: it calls the hook, with copies since the records may stay in the unit, and counts and logs
// them. It returns false if a stop did not wait for the hook; the caller must not commit the records then.
func (m *Member) drop(p *partition.Partition, records []event.KafkaRecord, why observe.DropReason, attempts int) (told bool) {
	own, _ := batch.Detach(records)
	told = m.shared.Hooks.Drop(observe.DropInfo{TopicPartition: p.TopicPartition, Records: own, Reason: why, Attempts: attempts, Err: p.LastErr})
	if !told {
		return false // they are delivered again, and counted then
	}
	m.shared.Counters.Dropped.Add(int64(len(records)))
	m.shared.SaidOfDrops.Error(m.shared.Log, time.Now(), "records dropped", "reason", why.String(), "partition", p.Key, "first", records[0].Offset,
		"last", records[len(records)-1].Offset, "records", len(records), "attempts", attempts, "err", p.LastErr)
	return true
}

// invoke starts one invocation.
func (m *Member) invoke(now time.Time, parts []partition.Part, size int) {
	inv := &partition.Invocation{Parts: parts, Started: now, Living: len(parts)}
	inv.ID = m.shared.Invocations.Add(1)
	inv.FunctionName, inv.UUID, inv.Bytes, inv.Attempt = *m.shared.Function.Load(), m.shared.UUID, size, 1
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
	inv.Heed()
	m.flying[inv] = struct{}{}
	m.slot.held = false // the invocation has it now
	m.shared.Counters.Invoked.Add(int64(inv.Records))
	m.begun(inv)
	inv.Event = event.KafkaEvent{EventSource: event.SourceSelfManagedKafka, BootstrapServers: m.shared.Bootstrap, Records: inv.HandOut(&m.shared.Copies)}
	m.calls.Go(inv) // awaited by the loop through done, or named by a *StuckError
}

// call runs on the invocation's goroutine. A handler can end the goroutine with runtime.Goexit (as t.FailNow does), so
// whatever must happen at the end is deferred.
func (m *Member) call(inv *partition.Invocation) {
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
		case <-m.closed: // left behind; the partitions that wait for it have another member, or will have
			for _, part := range inv.Parts {
				m.letGo(part.Owner.TopicPartition)
			}
		}
		m.shared.Left.Returned(inv)
	}()
	if m.shared.Hooks.Any() {
		m.shared.Hooks.BatchBegin(inv.Ctx, inv.Info)
	}
	inv.Err = partition.Guard(inv.Ctx, m.shared.Handler, inv.Event)
}
