package manager

import (
	"sync"

	"github.com/esm-go/esm"
)

// mostBufferBytes is esm.WithBufferBytes' default, which no mapping needs more than.
const mostBufferBytes = 64 << 20

// shares deal the memory for records out among the Runners that run, evenly. Safe for concurrent use.
type shares struct {
	bytes   int
	mu      sync.Mutex
	runners map[*esm.Runner]struct{}
}

// next is the share of a Runner that joins the others.
func (s *shares) next() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.of(len(s.runners) + 1)
}

func (s *shares) of(runners int) int {
	return min(max(s.bytes/max(runners, 1), 1<<20), mostBufferBytes)
}

// join has a Runner take part, and leave has it no longer: either gives all of them their new share.
func (s *shares) join(r *esm.Runner) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.runners == nil {
		s.runners = make(map[*esm.Runner]struct{})
	}
	s.runners[r] = struct{}{}
	s.deal()
}

func (s *shares) leave(r *esm.Runner) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.runners, r)
	s.deal()
}

// deal is called with mu held.
func (s *shares) deal() {
	share := s.of(len(s.runners))
	for r := range s.runners {
		r.SetBufferBytes(share)
	}
}
