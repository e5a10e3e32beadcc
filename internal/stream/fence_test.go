package stream

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/esmtest/membroker"
	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/internal/commit"
	"github.com/esm-go/esm/internal/lookup"
	"github.com/esm-go/esm/internal/partition"
	"github.com/esm-go/esm/internal/start"
)

// Answers and starts for partitions whose assignment has ended are ignored. Each fence works without the others.
func TestAnswersForDeadPartitionsAreNotTakenIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := membroker.NewBroker(t)
		m := idle(b, driver.AtEnd)
		tp := event.TopicPartition{Topic: "t"}
		answer := func(p *partition.Partition) lookup.Lookup {
			return lookup.Lookup{Question: start.Question{Kind: start.Begin, Names: []event.TopicPartition{tp}, Found: []start.Answer{{Offset: 3, Committed: -1}}}, Parts: []*partition.Partition{p}}
		}
		dead := m.admit(tp)
		m.remove(dead)
		m.answered(time.Now(), answer(dead))
		draining := m.admit(tp)
		m.revoke(time.Now(), []event.TopicPartition{tp}, make(chan struct{}))
		m.answered(time.Now(), answer(draining))
		if dead.Found != nil || draining.Found != nil {
			t.Errorf("taken in: %v, %v", dead.Found, draining.Found)
		}
		m.remove(draining)
		m.revocation = nil
		living := m.admit(tp)
		m.answered(time.Now(), answer(living))
		if living.Found == nil {
			t.Fatal("the answer for a partition that lives was passed over")
		}
		m.remove(living)
		m.advanceCommit(time.Now())
		if m.commits.UnderWay() != nil {
			t.Errorf("committing %+v for a partition that was lost", m.commits.UnderWay().Commits)
		}
	})
}

// For a partition whose assignment has ended, neither the accepted commit of a start nor a move starts anything.
// Otherwise the client would read the partition's next life under the start of the last one, and the engine would drop
// those records.
func TestStartsOfDeadPartitions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 1)
		m := idle(b, driver.AtEnd)
		tp := event.TopicPartition{Topic: "t"}
		now := time.Now()
		dead := m.admit(tp)
		dead.Found = &start.Answer{Offset: 3, Committed: -1}
		m.remove(dead)
		living := m.admit(tp)
		accept := commit.Result{}
		accept.Add(dead, 3, -1, "")
		m.committed(now, accept)
		if len(m.flow.toStart) != 0 || dead.Phase != partition.Starting {
			t.Errorf("the start of a partition that went: %+v", m.flow.toStart)
		}
		found := &start.Answer{Offset: 3, Committed: 3}
		m.startFound(now, living, found)
		if len(m.flow.toStart) != 1 || living.Phase != partition.Running {
			t.Fatalf("started %+v", m.flow.toStart)
		}
		m.startFound(now, living, found)
		m.launch(now, living, found)
		m.startFound(now, living, &start.Answer{Offset: 9, Committed: -1})
		if len(m.flow.toStart) != 1 || living.Found != nil {
			t.Errorf("started twice: %+v", m.flow.toStart)
		}
		m.revoke(now, []event.TopicPartition{tp}, make(chan struct{}))
		m.relocate(now, tp, 3, start.Nowhere)
		m.move(now, living, 3, start.Answer{Offset: 5, LeaderEpoch: -1})
		if len(m.flow.toStart) != 1 || living.Moves != 0 || living.Next != 3 {
			t.Errorf("a partition that is going was moved: %+v", m.flow.toStart)
		}
		m.remove(living)
		m.revocation = nil
		waiting := m.admit(tp) // its start is being committed
		waiting.Found = &start.Answer{Offset: 7, Committed: -1}
		m.startFound(now, waiting, found)
		if len(m.flow.toStart) != 1 || waiting.Found.Offset != 7 {
			t.Errorf("a start that is being committed was found again: %+v", waiting.Found)
		}
		m.remove(waiting)
	})
}
