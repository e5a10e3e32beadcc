package keda

import "time"

// A topicPartition names a partition.
type topicPartition struct {
	topic     string
	partition int32
}

// A reading is what the brokers said at one time.
type reading struct {
	at         time.Time
	partitions []position // sorted by topic and partition
	members    []member
	// settled is false while the group rebalances: assignments mean nothing then.
	settled bool
	// missed says which topics could not be read while others could.
	missed string
}

// A position is one partition's.
type position struct {
	topicPartition
	id        [16]byte // of the topic; zero where the brokers have none
	committed int64    // -1: the group has no commit
	start     int64    // where a reader without a commit begins
	earliest  int64    // the first record that is still there
	end       int64    // the isolation level's
	unplaced  bool     // no commit, and where it begins is decided by the first member that comes
	err       error    // the partition could not be read; its numbers are not valid
}

// next is where the group goes on.
func (p *position) next() int64 {
	if p.committed < 0 {
		return min(p.start, p.end)
	}
	// Behind the end (a log that was truncated) the engine goes on at the end, and
	// before the beginning (records that were deleted) at the beginning.
	return min(max(p.committed, p.earliest), p.end)
}

func (p *position) lag() int64 { return max(p.end-p.next(), 0) }

// A member is one member of the group, with the partitions that are assigned to it.
type member struct {
	id         string
	partitions []topicPartition
}
