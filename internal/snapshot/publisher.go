package snapshot

import (
	"sync/atomic"
	"time"

	"github.com/esm-go/esm/internal/partition"
	"github.com/esm-go/esm/observe"
)

const (
	// Interval is the least time between two snapshots that a loop publishes.
	Interval = 100 * time.Millisecond
	// patience is how long Status waits for a loop that is busy.
	patience = 100 * time.Millisecond
	// portion is how many partitions are read in one turn of the loop, so that ten thousand do not delay the records.
	portion = 250
)

// Snapshot is what a member's loop knew at a time. It does not change once it is published.
type Snapshot struct {
	At       time.Time
	InFlight int
	Slow     []observe.SlowInvocation
	// Portions has the partitions, in the portions in which they were read.
	Portions [][]observe.PartitionStatus
	// heard is closed when the next snapshot is published.
	heard chan struct{}
}

// Publisher takes and publishes the snapshots of one loop. Other goroutines call Published, Want and Await; the loop
// calls the other methods.
type Publisher struct {
	published atomic.Pointer[Snapshot]
	wanted    atomic.Bool // a caller has asked for another one

	// taking is a snapshot in progress, taken portion by portion. left are the partitions not read yet.
	taking *Snapshot
	left   []*partition.Partition
}

// Init publishes an empty snapshot with the zero time.
func (p *Publisher) Init() { p.published.Store(&Snapshot{heard: make(chan struct{})}) }

// Due reports whether to call Take: a snapshot was asked for, and the last one is old enough. If it was asked for but is
// not due, again is when it will be.
func (p *Publisher) Due(now time.Time) (due bool, again time.Time) {
	if p.taking != nil {
		return true, time.Time{}
	}
	if !p.wanted.Load() {
		return false, time.Time{}
	}
	if at := p.published.Load().At.Add(Interval); now.Before(at) {
		return false, at
	}
	return true, time.Time{}
}

// Take reads a portion of the partitions. It reports whether the snapshot is complete and published.
func (p *Publisher) Take(v *View) (done bool) {
	if p.taking == nil {
		p.begin(v)
	}
	if p.read(v, portion) {
		p.publish()
		return true
	}
	return false
}

// Publish publishes a snapshot of now.
func (p *Publisher) Publish(v *View) {
	p.left = nil
	p.begin(v)
	p.read(v, len(p.left))
	p.publish()
}

func (p *Publisher) begin(v *View) {
	p.taking = &Snapshot{At: v.Now, InFlight: len(v.InFlight), Slow: v.slow(), heard: make(chan struct{})}
	for _, one := range v.Partitions {
		p.left = append(p.left, one)
	}
}

// read reads up to most partitions. It reports whether none is left.
func (p *Publisher) read(v *View, most int) bool {
	n := min(len(p.left), most)
	if n > 0 {
		list := make([]observe.PartitionStatus, 0, n)
		for i, one := range p.left[:n] {
			if one.Alive {
				list = append(list, observe.PartitionStatus{})
				v.status(one, &list[len(list)-1])
			}
			p.left[i] = nil
		}
		p.taking.Portions = append(p.taking.Portions, list)
	}
	p.left = p.left[n:]
	return len(p.left) == 0
}

func (p *Publisher) publish() {
	s := p.taking
	p.taking, p.left = nil, p.left[:0]
	p.wanted.Store(false)
	if old := p.published.Swap(s); old != nil {
		close(old.heard)
	}
}

// Published returns the last published snapshot. It does not ask the loop.
func (p *Publisher) Published() *Snapshot { return p.published.Load() }

// Want asks for a snapshot that is not older than Interval. fresh reports whether s is one; if not, the caller nudges the
// loop.
func (p *Publisher) Want() (s *Snapshot, fresh bool) {
	s = p.published.Load()
	if time.Since(s.At) < Interval {
		return s, true
	}
	p.wanted.Store(true)
	return s, false
}

// Await waits until the loop has published a newer snapshot than s, has ended, or has been busy for patience. It returns
// the latest snapshot.
func (p *Publisher) Await(s *Snapshot, ended <-chan struct{}) *Snapshot {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-s.heard:
	case <-ended:
	case <-timer.C:
	}
	return p.published.Load()
}
