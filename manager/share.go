package manager

import (
	"sync"

	"github.com/esm-go/esm"
)

// mostBufferBytes is the default of esm.WithBufferBytes. No mapping needs more.
const mostBufferBytes = 64 << 20

// shares divides the memory for records evenly among the running Runners. It is safe for concurrent use.
type shares struct {
	bytes   int
	mu      sync.Mutex
	runners map[*esm.Runner]struct{}
}

// next returns the share that an additional Runner would get.
func (s *shares) next() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.of(len(s.runners) + 1)
}

func (s *shares) of(runners int) int {
	return min(max(s.bytes/max(runners, 1), 1<<20), mostBufferBytes)
}

// join adds a Runner and leave removes it. Both give all Runners their new share.
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

// deal sets the share of every Runner. The caller holds mu.
func (s *shares) deal() {
	share := s.of(len(s.runners))
	for r := range s.runners {
		r.SetBufferBytes(share)
	}
}
