package stream

import (
	"context"
	"time"

	"github.com/esm-go/esm/destination"
	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/internal/batch"
	"github.com/esm-go/esm/internal/condition"
	"github.com/esm-go/esm/internal/partition"
	"github.com/esm-go/esm/observe"
)

// handOver sends a partition's head unit to the destination. The unit stays the head, unresolved and uncommitted, until
// the destination has it.
func (m *Member) handOver(now time.Time, p *partition.Partition, why destination.Condition, answer *destination.Response) {
	if p.Phase != partition.Running || m.stop.phase != working {
		return // the next consumer gives it up again
	}
	u := &p.Work[0]
	if !u.Own { // sending may take long, and the handler may still use the bytes of its records
		held := u.Held
		u.Records, u.Held = batch.Detach(u.Records)
		u.Own, u.Kept = true, true
		m.release(p, held-u.Held)
	}
	f := &destination.Failure{MappingUUID: m.shared.UUID, FunctionARN: *m.shared.Function.Load(), Condition: why, Invocations: u.Tries, Response: answer,
		Err: p.LastErr, Time: now, Event: event.KafkaEvent{EventSource: event.SourceSelfManagedKafka, BootstrapServers: m.shared.Bootstrap,
			Records: map[string][]event.KafkaRecord{p.Key: u.Records}}}
	ctx, end := context.WithCancelCause(context.Background())
	one := &partition.Handover{Of: p, Why: why, Answer: answer, Since: now, End: end}
	p.Sending = one
	m.sending++
	m.shared.SaidOfDrops.Error(m.shared.Log, now, "records given up go to the on-failure destination", "condition", string(why), "partition", p.Key,
		"first", u.First(), "last", u.Last(), "records", len(u.Records), "invocations", u.Tries, "err", p.LastErr)
	out := m.shared.Outlet.Load()
	out.Sender.Send(ctx, f, func(err error) {
		end(nil)
		one.Err = err
		out.Changed(func(failing bool) {
			if !failing {
				m.shared.Conditions.DestinationWell(condition.KindDelivery)
			}
		})
		m.handed.Add(one)
	})
}

// delivered handles the handovers that have ended.
func (m *Member) delivered(now time.Time) {
	for _, one := range m.handed.Take() {
		p := one.Of
		if p.Sending != one {
			continue // of an ended assignment
		}
		p.Sending = nil
		m.sending--
		if one.Err != nil {
			continue // the partition is going away, or Run ends
		}
		u := p.Work[0]
		p.PopWork()
		m.release(p, u.Held)
		m.shared.Counters.Resolved.Add(int64(len(u.Records)))
		m.shared.Meters.Resolved(now, u.Records, len(u.Records))
		m.shared.Meters.Destination.Add(int64(now.Sub(one.Since)))
		p.LeaderEpoch = u.LeaderEpoch
		p.Failures, p.FirstFailure, p.LastErr = 0, time.Time{}, nil
		m.commits.Mark(p)
		m.settle(p, now)
	}
}

// forsake abandons the handover of a partition's head unit.
func (m *Member) forsake(p *partition.Partition) {
	if p.Sending != nil {
		p.Sending.End(observe.ErrPartitionsGone)
		p.Sending = nil
		m.sending--
	}
}

// sendExpired hands over the records of a partition's head unit that are too old. It takes them from the front only, so
// that records are resolved in order: if younger records precede them, those go to the handler first. It reports
// whether the head unit may be invoked.
func (m *Member) sendExpired(now time.Time, p *partition.Partition) bool {
	before := now.Add(-m.settings.MaxAge).UnixMilli()
	u := &p.Work[0]
	old := func(i int) bool { return u.Records[i].Timestamp >= 0 && u.Records[i].Timestamp < before }
	n, first := 1, old(0)
	for n < len(u.Records) && old(n) == first {
		n++
	}
	if n < len(u.Records) {
		a, b := u.Split(n)
		p.Work = append([]batch.Unit{a, b}, p.Work[1:]...)
	}
	if first {
		m.handOver(now, p, destination.RecordAgeExceeded, partition.ResponseOf(&p.Work[0], false))
	}
	return !first
}
