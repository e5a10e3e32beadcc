package stream

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/esmtest/membroker"
	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/internal/partition"
	"github.com/esm-go/esm/observe"
)

// A partition that is not fetched for lack of memory shows that, and since when. In a running member this lasts only for
// a moment, since each partition has its own share.
func TestHeadWaitsForMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 1)
		m := idle(b, driver.AtEnd)
		p := m.admit(event.TopicPartition{Topic: "t"})
		p.Phase, p.Next, p.End = partition.Running, 0, 5
		m.pause(p, partition.ByBudget)
		time.Sleep(time.Second)
		m.publish(time.Now())
		s := m.Published().Portions[0][0]
		if waited := time.Since(s.Head.Since); s.Head.WaitsFor != observe.WaitMemory || waited != time.Second {
			t.Errorf("%v waited %v", s, waited)
		}
		m.remove(p)
	})
}
