package shared

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/esm-go/esm/event"
)

// PausedPartitions are the partitions that PausePartition paused, whichever member holds them. It is safe for concurrent
// use.
type PausedPartitions struct {
	mu  sync.Mutex
	set map[event.TopicPartition]time.Time // when each was paused
	// Version counts the changes, so that loops can tell whether there is a new one.
	Version atomic.Uint64
}

// Add pauses a partition. It reports whether the partition was not paused before.
func (s *PausedPartitions) Add(tp event.TopicPartition) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, is := s.set[tp]; is {
		return false
	}
	if s.set == nil {
		s.set = make(map[event.TopicPartition]time.Time)
	}
	s.set[tp] = time.Now()
	s.Version.Add(1)
	return true
}

// Remove ends a partition's pause. It reports whether the partition was paused.
func (s *PausedPartitions) Remove(tp event.TopicPartition) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, is := s.set[tp]; !is {
		return false
	}
	delete(s.set, tp)
	s.Version.Add(1)
	return true
}

// Has reports whether the partition is paused.
func (s *PausedPartitions) Has(tp event.TopicPartition) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, is := s.set[tp]
	return is
}

// Since returns when the partition was paused, the zero time if it is not paused.
func (s *PausedPartitions) Since(tp event.TopicPartition) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.set[tp]
}
