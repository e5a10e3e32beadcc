package lag

import (
	"time"

	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/internal/partition"
)

// Ends asks for the ends of logs: of all members' partitions that want one, in one request.
type Ends struct {
	Queries  []driver.OffsetQuery
	Consumer driver.Consumer
	parts    []*partition.Partition // only compared and given back; the members' loops own them
}

// Want adds the partitions of a member whose end nobody has confirmed since the last evaluation, and those that its client only
// believes in, when that was longer ago than the lag interval.
func (e *Ends) Want(now, since time.Time, interval time.Duration, consumer driver.Consumer, held Held) {
	if e.Consumer == nil {
		e.Consumer = consumer
	}
	believed := now.Add(-interval)
	for tp, p := range held {
		if p.Phase != partition.Running || p.End >= 0 && (p.SeenAt.After(since) || p.Idle() && p.SeenAt.After(believed)) {
			continue
		}
		e.Queries = append(e.Queries, driver.OffsetQuery{TopicPartition: tp, At: driver.AtEnd})
		e.parts = append(e.parts, p)
	}
}

// Take takes in the answers for a member's partitions, which were true when the question was put.
func (e *Ends) Take(asked time.Time, held Held, answers []driver.OffsetAnswer) {
	for i, a := range answers {
		p := e.parts[i]
		if held[a.TopicPartition] != p || p.Phase != partition.Running {
			continue
		}
		switch {
		case a.Err != nil:
			p.Leaderless = true
		case p.End < 0 || p.SeenAt.Before(asked): // else a fetch has brought one that is as young
			p.Ended(asked, a.Offset)
		}
	}
}
