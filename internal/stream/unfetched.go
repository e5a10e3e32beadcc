package stream

import (
	"cmp"
	"fmt"
	"time"

	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/internal/condition"
	"github.com/esm-go/esm/internal/partition"
	"github.com/esm-go/esm/observe"
)

// fetchPatience is how long a partition of which there is more may stand still before that is a condition. A follower that takes
// over, a quota's throttling and a rebalance are over sooner.
const fetchPatience = time.Minute

// advanceUnfetched holds a condition while the client brings nothing of partitions although the brokers have more, and although
// it reports nothing: it tries again by itself for as long as a broker answers that it is not the leader, or that its disk
// failed. It is one condition for all of the member's partitions, since such a broker leads many. It runs with each evaluation
// of the scaling, which also asks for the ends of logs that no fetch tells.
func (m *Member) advanceUnfetched(now time.Time) {
	told := m.troubles.ToldOfPolls()
	var first *partition.Partition // that stands still for longest
	n := 0
	for _, p := range m.parts {
		switch {
		case !m.toBeFetched(p) || told.Of(p.TopicPartition):
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
	if n == m.flow.unfetched.count && (n == 0 || first.TopicPartition == m.flow.unfetched.first) {
		return
	}
	m.flow.unfetched = unfetched{count: n}
	if n == 0 {
		m.troubles.End(func(c *observe.Condition) bool { return c.Op == observe.OpFetch })
		return
	}
	m.flow.unfetched.first = first.TopicPartition
	what := "1 partition"
	if n > 1 {
		what = fmt.Sprintf("%d partitions", n)
	}
	m.troubles.Hold(observe.ErrorInfo{Op: observe.OpFetch, Err: fmt.Errorf("the brokers have more records of %s and send none, and the client names no reason: %v stands at offset %d of %d since %s",
		what, first.TopicPartition, first.Next, first.End, first.StillSince.Format(time.RFC3339)), LastProcessingResult: m.shared.Conditions.Result()},
		condition.KindUnfetched, event.TopicPartition{})
}

// stillLonger orders partitions by how long they stand still, and those of the same evaluation by name.
func stillLonger(a, b *partition.Partition) bool {
	return cmp.Or(a.StillSince.Compare(b.StillSince), cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition)) < 0
}

// unfetched is what the condition was last told of.
type unfetched struct {
	count int
	first event.TopicPartition
}

// toBeFetched reports whether the client is to bring records of a partition, there are some, and nothing else keeps it from that.
func (m *Member) toBeFetched(p *partition.Partition) bool {
	return p.Phase == partition.Running && p.Pauses == 0 && !p.Moving && p.Buffered() == 0 && p.End > p.Next && m.revocation == nil && m.stop.phase == working
}
