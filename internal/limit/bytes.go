package limit

import "sync/atomic"

// Bytes bounds the memory of the records that a mapping holds, whatever the lag. It is shared by the mapping's
// members.
//
// While less than half of it is in use every partition may fill up. Above that, a partition that holds more than its
// fair share of the other half is paused, so that a partition which is stuck never takes the room of those that are
// not.
//
// The bound: the budget, and two runs of each partition. Half of the budget is in use when partitions begin to be held
// to their shares, which sum up to the other half; one run takes a partition over its share, and another may be on its
// way already while the loop says pause.
type Bytes struct {
	Limit      atomic.Int64
	Used       atomic.Int64
	Partitions atomic.Int64
}

// Share is what each partition may hold when the budget is scarce.
func (b *Bytes) Share() int { return max(int(b.Limit.Load())/2/max(int(b.Partitions.Load()), 1), 1) }

// scarce reports whether partitions are held to their share.
func (b *Bytes) scarce() bool { return b.Used.Load() >= b.Limit.Load()/2 }

// Full reports whether a partition that holds so much is to be paused.
func (b *Bytes) Full(held int) bool { return held >= b.Share() && b.scarce() }

// Ample reports whether every partition may be fetched again: well below the bound, since a pause can cost the client
// what it fetched ahead.
func (b *Bytes) Ample() bool { return b.Used.Load() < b.Limit.Load()*3/8 }
