package esm

import (
	"context"
	"sync"
	"time"

	"github.com/esm-go/esm/destination"
	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/internal/batch"
)

// handover is a partition's head unit on its way to the destination. The partition waits for its end.
type handover struct {
	p      *partition
	why    destination.Condition
	answer *destination.Response
	since  time.Time
	end    context.CancelCauseFunc
	err    error
}

// handovers are those that came to their end, for the loop. Safe for concurrent use: who adds never waits.
type handovers struct {
	mu   sync.Mutex
	list []*handover
	word chan struct{} // buffered: there are some
}

func (h *handovers) add(one *handover) {
	h.mu.Lock()
	h.list = append(h.list, one)
	h.mu.Unlock()
	select {
	case h.word <- struct{}{}:
	default:
	}
}

func (h *handovers) take() []*handover {
	h.mu.Lock()
	defer h.mu.Unlock()
	list := h.list
	h.list = nil
	return list
}

// handOver gives a partition's head unit to the destination. It stays the head, unresolved and uncommitted, until the
// destination has it.
func (m *member) handOver(now time.Time, p *partition, why destination.Condition, answer *destination.Response) {
	if p.phase != running || m.stop.phase != working {
		return // whoever reads it next gives it up again
	}
	u := &p.Work[0]
	if !u.Own { // it may take long, and the bytes of a handler's records are the handler's too
		held := u.Held
		u.Records, u.Held = batch.Detach(u.Records)
		u.Own, u.Kept = true, true
		m.release(p, held-u.Held)
	}
	f := &destination.Failure{MappingUUID: m.shared.UUID, FunctionARN: *m.shared.Function.Load(), Condition: why, Invocations: u.Tries, Response: answer,
		Err: p.lastErr, Time: now, Event: KafkaEvent{EventSource: event.SourceSelfManagedKafka, BootstrapServers: m.shared.Bootstrap,
			Records: map[string][]event.KafkaRecord{p.Key: u.Records}}}
	ctx, end := context.WithCancelCause(context.Background())
	one := &handover{p: p, why: why, answer: answer, since: now, end: end}
	p.sending = one
	m.sending++
	m.shared.saidOfDrops.Error(m.shared.Log, now, "records given up go to the on-failure destination", "condition", string(why), "partition", p.Key,
		"first", u.First(), "last", u.Last(), "records", len(u.Records), "invocations", u.Tries, "err", p.lastErr)
	out := m.shared.Outlet.Load()
	out.sender.Send(ctx, f, func(err error) {
		end(nil)
		one.err = err
		m.shared.deliveryEnded(out)
		m.handed.add(one)
	})
}

// delivered takes in the handovers that came to their end.
func (m *member) delivered(now time.Time) {
	for _, one := range m.handed.take() {
		p := one.p
		if p.sending != one {
			continue // of an assignment that is over
		}
		p.sending = nil
		m.sending--
		if one.err != nil {
			continue // the partition goes, or the Run ends
		}
		u := p.Work[0]
		p.PopWork()
		m.release(p, u.Held)
		m.shared.Counters.Resolved.Add(int64(len(u.Records)))
		m.shared.Meters.resolved(now, u.Records, len(u.Records))
		m.shared.Meters.destination.Add(int64(now.Sub(one.since)))
		p.leaderEpoch = u.LeaderEpoch
		p.failures, p.firstFailure, p.lastErr = 0, time.Time{}, nil
		m.commits.mark(p)
		m.settle(p, now)
	}
}

// recall ends the sending of a partition's records; what was acknowledged before that still counts while p lives.
func (p *partition) recall(cause error) {
	if p.sending != nil {
		p.sending.end(cause)
	}
}

// forsake is recall for a partition that lives no more.
func (m *member) forsake(p *partition) {
	if p.sending != nil {
		p.sending.end(ErrPartitionsGone)
		p.sending = nil
		m.sending--
	}
}

// sendExpired hands over the records of a partition's head unit that are too old. They are taken from its front alone, so
// that what is resolved stays in order: where some come later, what is before them goes to the handler first. It reports
// whether the head unit may be invoked.
func (m *member) sendExpired(now time.Time, p *partition) bool {
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
		m.handOver(now, p, destination.RecordAgeExceeded, responseOf(&p.Work[0], false))
	}
	return !first
}

// responseOf is what a unit's function answered last, nil when it was not invoked.
func responseOf(u *batch.Unit, partial bool) *destination.Response {
	if u.Tries == 0 {
		return nil
	}
	r := &destination.Response{StatusCode: 200, ExecutedVersion: "$LATEST", FunctionError: "Unhandled"}
	if partial {
		r.FunctionError = ""
	}
	return r
}

// givenUp is a unit with what its last invocation left of it to give up.
func givenUp(u batch.Unit, gone []event.KafkaRecord, now time.Time) batch.Unit {
	u.Records, u.Size = gone, batch.EncodedSize(gone)
	u.Tries++
	u.Attempts++
	if u.FirstFailure.IsZero() {
		u.FirstFailure = now
	}
	return u
}
