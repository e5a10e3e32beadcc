package esm

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/esm-go/esm/observe"
)

// pausedPartitions are those that somebody asked to be paused, whichever member holds them. Safe for concurrent use.
type pausedPartitions struct {
	mu  sync.Mutex
	set map[TopicPartition]struct{}
	// version counts the changes, for loops to see whether there is something new.
	version atomic.Uint64
}

// add reports whether the partition was not paused before.
func (s *pausedPartitions) add(tp TopicPartition) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, is := s.set[tp]; is {
		return false
	}
	if s.set == nil {
		s.set = make(map[TopicPartition]struct{})
	}
	s.set[tp] = struct{}{}
	s.version.Add(1)
	return true
}

// remove reports whether the partition was paused.
func (s *pausedPartitions) remove(tp TopicPartition) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, is := s.set[tp]; !is {
		return false
	}
	delete(s.set, tp)
	s.version.Add(1)
	return true
}

func (s *pausedPartitions) has(tp TopicPartition) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, is := s.set[tp]
	return is
}

// PausePartition is Runner.PausePartition.
func (m *member) PausePartition(ctx context.Context, tp TopicPartition) error {
	return m.carryOut(&operation{ctx: ctx, name: observe.OperationPausePartition, tp: tp, step: func(m *member, now time.Time, o *operation) (done bool, err error) {
		o.begun.Store(true)
		if m.shared.PausedParts.add(tp) {
			m.obeyPartitions(now)
			m.shared.operated(OperationInfo{TopicPartition: tp, Operation: o.name, From: -1, To: -1})
		}
		return true, nil
	}})
}

// resumePartition ends the wish, and reports whether there was one. Loops follow it.
func (c *core) resumePartition(tp TopicPartition) (was bool) {
	if was = c.PausedParts.remove(tp); was {
		c.operated(OperationInfo{TopicPartition: tp, Operation: observe.OperationResumePartition, From: -1, To: -1})
	}
	return was
}

// FollowPartition waits until the loop has seen what is wished of a partition.
func (m *member) FollowPartition(ctx context.Context, tp TopicPartition) error {
	return m.carryOut(&operation{ctx: ctx, name: observe.OperationResumePartition, tp: tp, step: func(m *member, now time.Time, _ *operation) (done bool, err error) {
		m.obeyPartitions(now)
		return true, nil
	}})
}

// obeyPartitions pauses and resumes single partitions as is now wished. It runs on the loop.
func (m *member) obeyPartitions(now time.Time) {
	version := m.shared.PausedParts.version.Load()
	if version == m.flow.obeyedParts || m.stop.phase != working {
		return
	}
	m.flow.obeyedParts = version
	for _, p := range m.parts {
		switch wanted, is := m.shared.PausedParts.has(p.TopicPartition), p.pauses&pausedAlone != 0; {
		case wanted && !is:
			m.pause(p, pausedAlone)
			m.unqueue(p)
		case is && !wanted:
			m.resume(p, pausedAlone)
			m.settle(p, now)
		}
	}
}

// retryAt sets a partition down for its next try.
func (m *member) retryAt(p *partition, at time.Time) {
	if p.pauses&pausedAlone == 0 { // else it is tried when it is resumed
		m.retry.Add(&p.Lane, at)
	}
}
