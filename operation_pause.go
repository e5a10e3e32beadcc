package esm

import (
	"sync"
	"sync/atomic"
	"time"
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

// obeyPartitions pauses and resumes single partitions as is now wished. It runs on the loop.
func (m *member) obeyPartitions(now time.Time) {
	version := m.pausedParts.version.Load()
	if version == m.obeyedParts || m.stop.phase != working {
		return
	}
	m.obeyedParts = version
	for _, p := range m.parts {
		switch wanted, is := m.pausedParts.has(p.TopicPartition), p.pauses&pausedAlone != 0; {
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
