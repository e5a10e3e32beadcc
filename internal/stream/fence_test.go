package stream

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/esmtest/membroker"
	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/internal/partition"
	"github.com/esm-go/esm/internal/start"
)

// Each of the fences holds alone: answers and starts for partitions whose assignment has ended are passed over.
func TestAnswersForDeadPartitionsAreNotTakenIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := membroker.NewBroker(t)
		m := idle(b, driver.AtEnd)
		tp := event.TopicPartition{Topic: "t"}
		answer := func(p *partition.Partition) lookup {
			m.lookups.underWay++
			return lookup{Question: start.Question{Kind: start.Begin, Names: []event.TopicPartition{tp}, Found: []start.Answer{{Offset: 3, Committed: -1}}}, parts: []*partition.Partition{p}}
		}
		dead := m.admit(tp)
		m.remove(dead)
		m.answered(time.Now(), answer(dead))
		draining := m.admit(tp)
		m.revoke(time.Now(), []event.TopicPartition{tp}, make(chan struct{}))
		m.answered(time.Now(), answer(draining))
		if len(m.commits.begun) != 0 || dead.Found != nil || draining.Found != nil {
			t.Errorf("taken in: %v", m.commits.begun)
		}
		m.remove(draining)
		m.revocation = nil
		living := m.admit(tp)
		m.answered(time.Now(), answer(living))
		if len(m.commits.begun) != 1 {
			t.Fatal("the answer for a partition that lives was passed over")
		}
		m.remove(living)
		m.advanceCommit(time.Now())
		if m.commits.underWay != nil {
			t.Errorf("committing %+v for a partition that was lost", m.commits.underWay.Commits)
		}
	})
}
