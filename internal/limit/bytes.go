package limit

import "sync/atomic"

// Bytes bounds the memory of the records that a mapping holds, whatever the lag. The mapping's members share it.
//
// While less than half of it is in use, every partition may fill up. Above that, a partition that holds more than its
// fair share of the other half is paused. So a stuck partition never takes the room of the others.
//
// The memory held is bounded by the budget plus two runs of each partition. Half of the budget is in use when partitions
// begin to be held to their shares, which add up to the other half. One run takes a partition over its share, and another
// may already be on its way when the loop pauses it.
type Bytes struct {
	Limit      atomic.Int64
	Used       atomic.Int64
	Partitions atomic.Int64
}

// Share returns what each partition may hold when the budget is scarce.
func (b *Bytes) Share() int { return max(int(b.Limit.Load())/2/max(int(b.Partitions.Load()), 1), 1) }

// scarce reports whether partitions are held to their share.
func (b *Bytes) scarce() bool { return b.Used.Load() >= b.Limit.Load()/2 }

// Full reports whether to pause a partition that holds this much.
func (b *Bytes) Full(held int) bool { return held >= b.Share() && b.scarce() }

// Ample reports whether every partition may be fetched again. The threshold is well below that of Full, since a pause can
// cost the client what it has prefetched.
func (b *Bytes) Ample() bool { return b.Used.Load() < b.Limit.Load()*3/8 }
