package esm

import "sync/atomic"

// budget bounds the memory of the records that a mapping holds, whatever the lag. It is shared by the mapping's
// members.
//
// While less than half of it is in use every partition may fill up. Above that, a partition that holds more than its
// fair share of the other half is paused, so that a partition which is stuck never takes the room of those that are
// not.
//
// The bound: the budget, and two runs of each partition. Half of the budget is in use when partitions begin to be held
// to their shares, which sum up to the other half; one run takes a partition over its share, and another may be on its
// way already while the loop says pause.
type budget struct {
	limit      int
	used       atomic.Int64
	partitions atomic.Int64
}

// share is what each partition may hold when the budget is scarce.
func (b *budget) share() int { return max(b.limit/2/max(int(b.partitions.Load()), 1), 1) }

// scarce reports whether partitions are held to their share.
func (b *budget) scarce() bool { return int(b.used.Load()) >= b.limit/2 }

// full reports whether a partition that holds so much is to be paused.
func (b *budget) full(held int) bool { return held >= b.share() && b.scarce() }

// ample reports whether every partition may be fetched again: well below the bound, since a pause can cost the client
// what it fetched ahead.
func (b *budget) ample() bool { return int(b.used.Load()) < b.limit*3/8 }

// warnOf tells of limits that cannot meet: a batch that has no room in the budget even when its records are empty goes when
// the budget is full.
func (o *options) warnOf(s *settings) {
	if need := s.size * recordWeight; need > o.bufferBytes {
		o.logger.Warn("WithBufferBytes has no room for BatchSize records: batches are sent when the buffer is full",
			"BatchSize", s.size, "bufferBytes", o.bufferBytes, "need", need)
	}
}
