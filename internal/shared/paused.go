package shared

import (
	"sync"
	"sync/atomic"

	"github.com/esm-go/esm/event"
)

// PausedPartitions are those that somebody asked to be paused, whichever member holds them. Safe for concurrent use.
type PausedPartitions struct {
	mu  sync.Mutex
	set map[event.TopicPartition]struct{}
	// Version counts the changes, for loops to see whether there is something new.
	Version atomic.Uint64
}

// Add reports whether the partition was not paused before.
func (s *PausedPartitions) Add(tp event.TopicPartition) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, is := s.set[tp]; is {
		return false
	}
	if s.set == nil {
		s.set = make(map[event.TopicPartition]struct{})
	}
	s.set[tp] = struct{}{}
	s.Version.Add(1)
	return true
}

// Remove reports whether the partition was paused.
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
