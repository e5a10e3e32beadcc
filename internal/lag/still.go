package lag

import (
	"cmp"
	"fmt"
	"time"

	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/internal/partition"
)

// fetchPatience is how long a partition that has more records may stand still before that is a condition. A leader
// change, throttling by a quota and a rebalance end sooner.
const fetchPatience = time.Minute

// Still finds partitions that stand still: the brokers have more records, but the client fetches none and reports no
// error. Clients retry silently while a broker answers that it is not the leader, or that its disk failed. The zero value
// has found none.
type Still struct {
	count int
	first event.TopicPartition
}

// Look checks the partitions that a member holds. expected reports whether the client should be fetching one. changed
// reports whether the result differs from the last one. err describes what stands still, nil for nothing.
func (s *Still) Look(now time.Time, held Held, expected func(*partition.Partition) bool) (changed bool, err error) {
	var first *partition.Partition // the one that has stood still the longest
	n := 0
	for _, p := range held {
		switch {
		case !expected(p):
			p.StillSince = time.Time{}
		case p.StillSince.IsZero() || p.StillAt != p.Next:
			p.StillSince, p.StillAt = now, p.Next
		case now.Sub(p.StillSince) >= fetchPatience:
			n++
			if first == nil || stillLonger(p, first) {
				first = p
			}
		}
	}
	if n == s.count && (n == 0 || first.TopicPartition == s.first) {
		return false, nil
	}
	*s = Still{count: n}
	if n == 0 {
		return true, nil
	}
	s.first = first.TopicPartition
	what := "1 partition"
	if n > 1 {
		what = fmt.Sprintf("%d partitions", n)
	}
	return true, fmt.Errorf("the brokers have more records of %s but send none, and the client gives no reason: %v has been at offset %d of %d since %s",
		what, first.TopicPartition, first.Next, first.End, first.StillSince.Format(time.RFC3339))
}

// stillLonger orders partitions by how long they have stood still, and by name if that is equal.
func stillLonger(a, b *partition.Partition) bool {
	return cmp.Or(a.StillSince.Compare(b.StillSince), cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition)) < 0
}
