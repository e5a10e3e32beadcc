package limit

import (
	"sync"

	"github.com/esm-go/esm/event"
)

// Orphans counts, for each partition, the running invocations of assignments that have ended, at whichever member. A new
// assignment waits for them, so that order holds within this process. It is safe for concurrent use.
type Orphans struct {
	mu    sync.Mutex
	count map[event.TopicPartition]int
}

// Hold records that an invocation continues whose assignment of the partition has ended.
func (o *Orphans) Hold(tp event.TopicPartition) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.count == nil {
		o.count = make(map[event.TopicPartition]int)
	}
	o.count[tp]++
}

// IsHeld reports whether a partition has to wait. LetGo reports when it no longer has to.
func (o *Orphans) IsHeld(tp event.TopicPartition) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.count[tp] > 0
}

// LetGo records that an invocation of an ended assignment has ended. It reports whether that was the partition's last
// one.
func (o *Orphans) LetGo(tp event.TopicPartition) (last bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.count[tp]--
	if last = o.count[tp] == 0; last {
		delete(o.count, tp)
	}
	return last
}

// Count returns how many partitions are held.
func (o *Orphans) Count() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.count)
}
