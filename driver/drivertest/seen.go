package drivertest

import (
	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/event"
)

// seen is what a member has seen.
type seen struct {
	parts map[driver.TopicPartition]*part
	// calls are the Listener calls in order, one entry per partition: "assigned t-0".
	calls []string
	errs  []*driver.Error
	// end is Poll's error.
	end error
	// hasty counts Polls that returned nothing, and at once.
	hasty int
}

// part is what a member has seen of a partition.
type part struct {
	owned bool
	// assignment is the value of Member.Rebalances when it was assigned.
	assignment int64
	started    map[uint64]bool
	// epoch and next are those of the last run; leaderEpoch is that of the last run with records.
	epoch       uint64
	next        int64
	leaderEpoch int32
	end         int64
	runs        int
	records     []event.KafkaRecord
}

// part returns what was seen of a partition. The caller holds mu.
func (s *seen) part(p driver.TopicPartition) *part {
	if s.parts[p] == nil {
		s.parts[p] = &part{started: make(map[uint64]bool), next: -1, end: -1}
	}
	return s.parts[p]
}

// owns reports whether the member owns exactly these.
func (s *seen) owns(want ...driver.TopicPartition) bool {
	n := 0
	for _, p := range s.parts {
		if p.owned {
			n++
		}
	}
	for _, p := range want {
		if s.parts[p] == nil || !s.parts[p].owned {
			return false
		}
	}
	return n == len(want)
}

func (s *seen) owned() int {
	n := 0
	for _, p := range s.parts {
		if p.owned {
			n++
		}
	}
	return n
}

// count returns how often a Listener call named a partition.
func (s *seen) count(call string, p driver.TopicPartition) int {
	n, want := 0, call+" "+p.String()
	for _, c := range s.calls {
		if c == want {
			n++
		}
	}
	return n
}

// errors counts reports of a kind; unless topic is empty, only those about that topic.
func (s *seen) errors(kind driver.Kind, topic string) int {
	n := 0
	for _, e := range s.errs {
		if e.Kind == kind && (topic == "" || e.TopicPartition.Topic == topic) {
			n++
		}
	}
	return n
}
