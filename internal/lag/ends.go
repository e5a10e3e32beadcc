package lag

import (
	"time"

	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/internal/partition"
)

// Ends looks up the ends of logs, for all members' partitions that need it, in one request.
type Ends struct {
	Queries  []driver.OffsetQuery
	Consumer driver.Consumer
	parts    []*partition.Partition // only compared and returned; the members' loops own them
}

// Want adds a member's partitions whose end is unknown or was not confirmed since the last evaluation. For an idle
// partition, whose end the client is expected to report, it waits for the lag interval.
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

// Take applies the answers for a member's partitions. They were true at the time asked.
func (e *Ends) Take(asked time.Time, held Held, answers []driver.OffsetAnswer) {
	for i, a := range answers {
		p := e.parts[i]
		if held[a.TopicPartition] != p || p.Phase != partition.Running {
			continue
		}
		switch {
		case a.Err != nil:
			p.Leaderless = true
		case p.End < 0 || p.SeenAt.Before(asked): // otherwise a fetch has brought a newer one
			p.Ended(asked, a.Offset)
		}
	}
}
