package limit

import (
	"sync"

	"github.com/esm-go/esm/event"
)

// Orphans counts, for a partition, invocations of an assignment that has ended, whichever member's it was: a new one waits for
// them, so that order holds within this process. Safe for concurrent use.
type Orphans struct {
	mu    sync.Mutex
	count map[event.TopicPartition]int
}

// Hold notes that an invocation goes on whose assignment of the partition has ended.
func (o *Orphans) Hold(tp event.TopicPartition) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.count == nil {
		o.count = make(map[event.TopicPartition]int)
	}
	o.count[tp]++
}

// IsHeld reports whether a partition has to wait. When it need not any longer, LetGo says so.
func (o *Orphans) IsHeld(tp event.TopicPartition) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.count[tp] > 0
}

// LetGo notes that an invocation of an assignment that is over has ended; it reports whether that was the partition's last one.
func (o *Orphans) LetGo(tp event.TopicPartition) (last bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.count[tp]--
	if last = o.count[tp] == 0; last {
		delete(o.count, tp)
	}
	return last
}

// Count is how many partitions are held.
func (o *Orphans) Count() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.count)
}
