package stream

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/esmtest/membroker"
	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/internal/partition"
)

// The answer to a question after the end of a log takes nothing back of what a fetch has told since the question was put, at the
// same moment of the clock either.
func TestEndsOfTheSameMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 1)
		m := idle(b, driver.AtEnd)
		tp, now := event.TopicPartition{Topic: "t"}, time.Now()
		p := m.admit(tp)
		p.Phase = partition.Running
		answer := func(asked time.Time, end int64) {
			m.takeEnds(asked, &EndQuery{parts: []*partition.Partition{p}}, []driver.OffsetAnswer{{TopicPartition: tp, Offset: end}})
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
		m.remove(p)
	})
}
