package shared

import (
	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/observe"
)

// ResumePartition ends a partition's pause and reports whether it was paused. Loops follow.
func (s *State) ResumePartition(tp event.TopicPartition) (was bool) {
	if was = s.PausedParts.Remove(tp); was {
		s.Operated(observe.OperationInfo{TopicPartition: tp, Operation: observe.OperationResumePartition, From: -1, To: -1})
	}
	return was
}

// Operated logs an operation that was carried out, and calls the hook.
func (s *State) Operated(i observe.OperationInfo) {
	s.Log.Warn("asked for: "+string(i.Operation), "partition", i.String(), "from", i.From, "to", i.To)
	s.Hooks.Operation(i)
}
