package keda

import "time"

// A topicPartition names a partition.
type topicPartition struct {
	topic     string
	partition int32
}

// A reading is the brokers' state at one time.
type reading struct {
	at         time.Time
	partitions []position // sorted by topic and partition
	members    []member
	// settled is false while the group rebalances: assignments mean nothing then.
	settled bool
	// missed names the topics that could not be read, if others could.
	missed string
}

// A position is the state of one partition.
type position struct {
	topicPartition
	id        [16]byte // of the topic; zero if the brokers have none
	committed int64    // -1: the group has no commit
	start     int64    // where a reader without a commit starts
	earliest  int64    // the first record that still exists
	end       int64    // according to the isolation level
	unplaced  bool     // no commit, and its start is decided by the first member that comes
	err       error    // the partition could not be read; its numbers are not valid
}

// next returns where the group continues.
func (p *position) next() int64 {
	if p.committed < 0 {
		return min(p.start, p.end)
	}
	// If the commit is beyond the end (the log was truncated), the engine continues at the end; if it is
	// before the start (records were deleted), at the start.
	return min(max(p.committed, p.earliest), p.end)
}

func (p *position) lag() int64 { return max(p.end-p.next(), 0) }

// A member is one member of the group, with its assigned partitions.
type member struct {
	id         string
	partitions []topicPartition
}
