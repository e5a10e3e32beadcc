package lag

import (
	"testing"
	"time"

	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/internal/partition"
)

// The answer to a lookup of the end of a log does not overwrite what a fetch has reported since the lookup began, not
// even at the same clock time.
func TestEndsOfTheSameMoment(t *testing.T) {
	tp, now := event.TopicPartition{Topic: "t"}, time.Now()
	p := &partition.Partition{TopicPartition: tp, Alive: true, Phase: partition.Running, End: -1, SeenAt: now}
	held := Held{tp: p}
	answer := func(asked time.Time, end int64) {
		e := &Ends{parts: []*partition.Partition{p}}
		e.Take(asked, held, []driver.OffsetAnswer{{TopicPartition: tp, Offset: end}})
	}
	answer(now, 3) // nothing is known yet
	p.Ended(now, 5)
	answer(now, 3)
	if p.End != 5 {
		t.Errorf("the end is %d, and a fetch has told 5", p.End)
	}
	if answer(now.Add(1), 4); p.End != 4 {
		t.Errorf("the end is %d, and was asked for again: 4", p.End)
	}
}
