package stream

import (
	"context"
	"time"

	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/internal/operation"
	"github.com/esm-go/esm/internal/partition"
	"github.com/esm-go/esm/observe"
)

// PausePartition implements Runner.PausePartition.
func (m *Member) PausePartition(ctx context.Context, tp event.TopicPartition) error {
	return m.carryOut(ctx, &operation.Operation{Name: observe.OperationPausePartition, TP: tp, Step: func(now time.Time, o *operation.Operation) (done bool, err error) {
		if o.Begin() && m.shared.PausedParts.Add(tp) {
			m.obeyPartitions(now)
			m.shared.Operated(observe.OperationInfo{TopicPartition: tp, Operation: o.Name, From: -1, To: -1})
		}
		return true, nil
	}})
}

// FollowPartition waits until the loop has applied the current pauses of single partitions.
func (m *Member) FollowPartition(ctx context.Context, tp event.TopicPartition) error {
	return m.carryOut(ctx, &operation.Operation{Name: observe.OperationResumePartition, TP: tp, Step: func(now time.Time, _ *operation.Operation) (done bool, err error) {
		m.obeyPartitions(now)
		return true, nil
	}})
}

// obeyPartitions pauses and resumes single partitions as currently wished. It runs on the loop.
func (m *Member) obeyPartitions(now time.Time) {
	version := m.shared.PausedParts.Version.Load()
	if version == m.flow.obeyedParts || m.stop.phase != working {
		return
	}
	m.flow.obeyedParts = version
	for _, p := range m.parts {
		switch wanted, is := m.shared.PausedParts.Has(p.TopicPartition), p.Pauses&partition.Alone != 0; {
		case wanted && !is:
			m.pause(p, partition.Alone)
			m.unqueue(p)
		case is && !wanted:
			m.resume(p, partition.Alone)
			m.settle(p, now)
		}
	}
}

// retryAt schedules a partition's next retry.
func (m *Member) retryAt(p *partition.Partition, at time.Time) {
	if p.Pauses&partition.Alone == 0 { // otherwise it is retried when it is resumed
		m.retry.Add(&p.Lane, at)
	}
}
