package lag

import (
	"cmp"
	"fmt"
	"time"

	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/internal/partition"
)

// fetchPatience is how long a partition of which there is more may stand still before that is a condition. A follower that takes
// over, a quota's throttling and a rebalance are over sooner.
const fetchPatience = time.Minute

// Still finds partitions that stand still: the client brings nothing of them although the brokers have more, and although it
// reports nothing. It tries again by itself for as long as a broker answers that it is not the leader, or that its disk failed.
// The zero value has found none.
type Still struct {
	count int
	first event.TopicPartition
}

// Look looks at the partitions that a member holds; expected reports whether the client is to bring records of one. It reports
// whether anything changed since the last look; err says what stands still by now, nil for nothing.
func (s *Still) Look(now time.Time, held Held, expected func(*partition.Partition) bool) (changed bool, err error) {
	var first *partition.Partition // that stands still for longest
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
	return true, fmt.Errorf("the brokers have more records of %s and send none, and the client names no reason: %v stands at offset %d of %d since %s",
		what, first.TopicPartition, first.Next, first.End, first.StillSince.Format(time.RFC3339))
}

// stillLonger orders partitions by how long they stand still, and those of the same evaluation by name.
func stillLonger(a, b *partition.Partition) bool {
	return cmp.Or(a.StillSince.Compare(b.StillSince), cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition)) < 0
}
