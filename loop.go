package esm

import (
	"context"
	"errors"
	"time"

	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/internal/batch"
)

const (
	// commitTimeout bounds one commit, lookupTimeout one round of looking up offsets.
	commitTimeout = 15 * time.Second
	lookupTimeout = 15 * time.Second
	// finalCommitTimeout bounds the commit of a revocation, after the work is drained.
	finalCommitTimeout = 5 * time.Second
)

// loop owns the member's state. It waits for nothing but its channels.
func (m *member) loop(ctx context.Context) error {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	end := ctx.Done()
	m.nextCheck = time.Now().Add(m.opts.lagInterval)
	m.nextRefresh = time.Now().Add(refreshInterval)
	if m.settings.start.at != driver.AtEarliest {
		m.lookUp(lookup{kind: lookupCensus}) // before there is a partition to start
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
		m.busySince.Store(0)
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
			m.slot, m.waiting = true, false
		case inv := <-m.done:
			m.begin()
			m.finish(time.Now(), inv)
		case <-m.handed.word:
			m.begin()
			m.delivered(time.Now())
		case result := <-m.acks:
			m.begin()
			m.committed(time.Now(), result)
		case answer := <-m.answers:
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
			end = nil
			m.beginStop(time.Now(), errors.Is(context.Cause(ctx), errSurplus))
		case <-timer.C:
			m.begin()
		}
	}
	return m.stop.fatal
}

func (m *member) begin() { m.busySince.Store(time.Now().UnixNano()) }

// at notes a time at which the loop has to look again.
func (m *member) at(t time.Time) {
	if m.wake.IsZero() || t.Before(m.wake) {
		m.wake = t
	}
}

// advance does everything that may be done now, and finds the next deadline.
func (m *member) advance(now time.Time) {
	m.wake = time.Time{}
	m.settings = m.current.Load()
	m.obey()
	m.obeyPartitions(now)
	m.advanceOperations(now)
	if m.tripped || len(m.parts) == 0 {
		m.followCircuit(now)
	}
	m.dispatch(now)
	m.advanceRevocation(now)
	m.flush() // a client may refuse the commit of a start that it does not know
	m.advanceCommit(now)
	m.advanceLookups(now)
	m.advanceAge(now)
	m.advanceStop(now)
	if m.paused && len(m.flying) == 0 && m.pauseReported.Load() != m.obeyed {
		m.pauseReported.Store(m.obeyed)
		m.quiet()
	}
	m.flush()
	m.advanceConditions(now)
	m.advanceSnapshot(now)
}

// deliver takes in what a Poll brought.
func (m *member) deliver(now time.Time, d *delivery) {
	for i := range d.Runs {
		run := &d.Runs[i]
		p := m.parts[run.TopicPartition]
		if p == nil || p.phase != running || run.Epoch != p.epoch {
			continue // of an assignment or a start that is over; it will come again where it belongs
		}
		m.counters.polled.Add(int64(d.read[i]))
		if out := d.read[i] - len(run.Records); out > 0 {
			m.counters.filtered.Add(int64(out))
			m.counters.wrongKind.Add(int64(d.wrong[i]))
			m.hooks.filtered(FilteredInfo{TopicPartition: p.TopicPartition, Records: out, WrongKind: d.wrong[i]})
		}
		if m.troubles.Load() > 0 {
			m.fetched(p.TopicPartition)
		}
		p.next, p.moves = run.Next, 0
		if run.LeaderEpoch >= 0 {
			p.readEpoch = run.LeaderEpoch
		}
		if run.End >= 0 {
			p.ended(now, run.End, len(run.Records) > 0)
		}
		if n := len(run.Records); n > 0 {
			held := max(run.Bytes, 0)
			p.Buf.Add(batch.Chunk{Records: run.Records, Arrived: now, LeaderEpoch: run.LeaderEpoch, Size: d.sizes[i], Largest: d.largest[i], Held: held})
			m.budget.Used.Add(int64(held))
			if m.pool.Holds(&p.Lane) {
				m.pool.Grown(n, d.sizes[i])
			} else {
				m.settle(p, now)
			}
			if m.budget.Full(p.Held()) {
				m.pause(p, pausedByBudget)
				m.budgetPaused[p] = struct{}{}
			}
		} else {
			p.leaderEpoch = max(p.leaderEpoch, run.LeaderEpoch)
		}
		m.markDirty(p)
	}
	for _, err := range d.Errors {
		m.sourceError(err)
	}
}

// settle puts an idle partition where it waits: for its next try, or in the pool.
func (m *member) settle(p *partition, now time.Time) {
	if p.phase != running || p.inflight != nil || p.sending != nil || p.Waits() || p.pauses&pausedAlone != 0 || m.roster.isHeld(p.TopicPartition) {
		return
	}
	switch {
	case len(p.Work) > 0:
		m.retry.Add(&p.Lane, now)
	case p.Buf.Count > 0:
		m.pool.Add(&p.Lane)
	}
}

// unqueue takes a partition out of where it waits.
func (m *member) unqueue(p *partition) {
	switch {
	case !p.Waits():
	case m.pool.Holds(&p.Lane):
		m.pool.Remove(&p.Lane)
	default:
		m.retry.Remove(&p.Lane)
	}
}

// sourceError takes in what the client had to say.
func (m *member) sourceError(err *driver.Error) {
	m.counters.pollErrors.Add(1)
	info := m.problem(OpPoll, err)
	stands := m.stands(err, info)
	m.hooks.error(info)
	switch err.Kind {
	case driver.KindOffsetOutOfRange:
		m.log.Warn("position does not exist", "partition", err.TopicPartition.String(), "offset", err.Offset)
		m.relocate(time.Now(), err.TopicPartition, err.Offset, nowhere)
	case driver.KindTruncated:
		m.log.Warn("the log was cut below the position, and has grown again", "partition", err.TopicPartition.String(), "offset", err.Offset, "to", err.To)
		m.relocate(time.Now(), err.TopicPartition, err.Offset, max(err.To, 0))
	case driver.KindTopicRecreated:
		m.log.Warn("topic was deleted and made again", "topic", err.TopicPartition.Topic)
		m.reportedAnew(err.TopicPartition.Topic)
	default:
		if !stands {
			m.conditions.mention(info) // else the log has it
		}
	}
}
