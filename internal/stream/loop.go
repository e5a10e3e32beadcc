package stream

import (
	"context"
	"errors"
	"time"

	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/internal/batch"
	"github.com/esm-go/esm/internal/intake"
	"github.com/esm-go/esm/internal/lookup"
	"github.com/esm-go/esm/internal/partition"
	"github.com/esm-go/esm/internal/start"
	"github.com/esm-go/esm/observe"
)

// finalCommitTimeout bounds the commit of a revocation, after the work is drained.
const finalCommitTimeout = 5 * time.Second

// loop owns the member's state. It waits only on its channels.
func (m *Member) loop(ctx context.Context) error {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	end := ctx.Done()
	stop := func() {
		end = nil
		m.beginStop(time.Now(), errors.Is(context.Cause(ctx), ErrSurplus))
	}
	if m.settings.Start.At != driver.AtEarliest {
		m.lookups.Add(lookup.Lookup{Question: start.Question{Kind: start.Topics}}) // before there is a partition to start
	}
	for {
		now := time.Now()
		m.advance(now)
		if m.stop.phase == stopped {
			break
		}
		if m.wake.IsZero() {
			timer.Stop()
		} else {
			timer.Reset(m.wake.Sub(now))
		}
		m.signs.Busy.Store(0)
		select {
		case msg := <-m.in:
			m.begin()
			if msg.delivery != nil {
				m.deliver(time.Now(), msg.delivery)
				m.free <- msg.delivery
			} else {
				m.change(time.Now(), msg)
			}
		case <-m.nudges:
			m.begin()
			m.nudged()
		case <-m.slots:
			m.begin()
			m.slot.held, m.slot.waiting = true, false
		case inv := <-m.done:
			m.begin()
			if end != nil && m.shared.Stopping.Asked() {
				stop() // the handler may have followed Run's context, and its end may arrive before ctx's
			}
			m.finish(time.Now(), inv)
		case <-m.handed.Word:
			m.begin()
			m.delivered(time.Now())
		case result := <-m.commits.Answers:
			m.begin()
			m.committed(time.Now(), result)
		case answer := <-m.lookups.Answers:
			m.begin()
			m.answered(time.Now(), answer)
		case f := <-m.control:
			m.begin()
			f()
		case err := <-m.polled:
			m.begin()
			m.pollEnded(err)
		case <-end:
			m.begin()
			stop()
		case <-timer.C:
			m.begin()
		}
	}
	return m.stop.fatal
}

func (m *Member) begin() { m.signs.Busy.Store(time.Now().UnixNano()) }

// at schedules a time at which the loop has to run again.
func (m *Member) at(t time.Time) {
	if m.wake.IsZero() || t.Before(m.wake) {
		m.wake = t
	}
}

// advance does everything that is due now, and finds the next deadline.
func (m *Member) advance(now time.Time) {
	m.wake = time.Time{}
	m.settings = m.shared.Current.Load()
	m.obey()
	m.obeyPartitions(now)
	m.advanceOperations(now)
	if m.flow.tripped || len(m.parts) == 0 {
		m.followCircuit(now)
	}
	m.dispatch(now)
	m.advanceRevocation(now)
	m.flush() // a client may refuse to commit a start that it does not know
	m.advanceCommit(now)
	m.advanceLookups(now)
	if again := m.aging.Advance(now, m.shared.Budget.Used.Load(), m.parts, m.release); !again.IsZero() {
		m.at(again)
	}
	m.advanceStop(now)
	if m.flow.paused && len(m.flying) == 0 && m.pauseReported.Load() != m.flow.obeyed {
		m.pauseReported.Store(m.flow.obeyed)
		m.quiet()
	}
	m.flush()
	m.advanceConditions(now)
	m.advanceSnapshot(now)
}

// deliver processes what a Poll returned.
func (m *Member) deliver(now time.Time, d *intake.Delivery) {
	for i := range d.Runs {
		run := &d.Runs[i]
		p := m.parts[run.TopicPartition]
		if p == nil || p.Phase != partition.Running || run.Epoch != p.Epoch {
			continue // of an ended assignment or an earlier start; it will be fetched again where it belongs
		}
		m.shared.Counters.Polled.Add(int64(d.Read[i]))
		if out := d.Read[i] - len(run.Records); out > 0 {
			m.shared.Counters.Filtered.Add(int64(out))
			m.shared.Counters.WrongKind.Add(int64(d.Wrong[i]))
			m.shared.Hooks.Filtered(observe.FilteredInfo{TopicPartition: p.TopicPartition, Records: out, WrongKind: d.Wrong[i]})
		}
		if m.troubles.Any() {
			m.troubles.Fetched(p.TopicPartition)
		}
		p.Received(now, run.Next)
		p.Moves = 0
		if run.LeaderEpoch >= 0 {
			p.ReadEpoch = run.LeaderEpoch
		}
		if run.End >= 0 {
			p.Ended(now, run.End)
		}
		if n := len(run.Records); n > 0 {
			held := max(run.Bytes, 0)
			p.Buf.Add(batch.Chunk{Records: run.Records, Arrived: now, LeaderEpoch: run.LeaderEpoch, Size: d.Sizes[i], Largest: d.Largest[i], Held: held})
			m.shared.Budget.Used.Add(int64(held))
			if m.pool.Holds(&p.Lane) {
				m.pool.Grown(n, d.Sizes[i])
			} else {
				m.settle(p, now)
			}
			if m.shared.Budget.Full(p.Held()) {
				m.pause(p, partition.ByBudget)
				m.flow.full[p] = struct{}{}
			}
		} else {
			p.LeaderEpoch = max(p.LeaderEpoch, run.LeaderEpoch)
		}
		m.commits.Mark(p)
	}
	for _, err := range d.Errors {
		m.sourceError(err)
	}
}

// settle queues an idle partition: for its next retry, or in the pool.
func (m *Member) settle(p *partition.Partition, now time.Time) {
	if p.Phase != partition.Running || p.Inflight != nil || p.Sending != nil || p.Waits() || p.Pauses&partition.Alone != 0 || m.shared.Orphans.IsHeld(p.TopicPartition) {
		return
	}
	switch {
	case len(p.Work) > 0:
		m.retry.Add(&p.Lane, now)
	case p.Buf.Count > 0:
		m.pool.Add(&p.Lane)
	}
}

// unqueue removes a partition from the queue that it waits in.
func (m *Member) unqueue(p *partition.Partition) {
	switch {
	case !p.Waits():
	case m.pool.Holds(&p.Lane):
		m.pool.Remove(&p.Lane)
	default:
		m.retry.Remove(&p.Lane)
	}
}

// sourceError handles an error that the client reported.
func (m *Member) sourceError(err *driver.Error) {
	m.shared.Counters.PollErrors.Add(1)
	info := m.shared.Conditions.Problem(observe.OpPoll, err)
	stands := m.stands(err, info)
	m.shared.Hooks.Error(info)
	switch err.Kind {
	case driver.KindOffsetOutOfRange:
		m.shared.Log.Warn("position does not exist", "partition", err.TopicPartition.String(), "offset", err.Offset)
		m.relocate(time.Now(), err.TopicPartition, err.Offset, start.Nowhere)
	case driver.KindTruncated:
		m.shared.Log.Warn("the log was cut below the position, and has grown again", "partition", err.TopicPartition.String(), "offset", err.Offset, "to", err.To)
		m.relocate(time.Now(), err.TopicPartition, err.Offset, max(err.To, 0))
	case driver.KindTopicRecreated:
		m.shared.Log.Warn("topic was deleted and recreated", "topic", err.TopicPartition.Topic)
		m.reportedAnew(err.TopicPartition.Topic)
	default:
		if !stands {
			m.shared.Conditions.Mention(info) // otherwise it has been logged already
		}
	}
}
