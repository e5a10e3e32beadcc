package run

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/esmtest/membroker"
	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/mapping"
	"github.com/esm-go/esm/observe"
)

// A commit that is rewritten because it lacks the metadata is rewritten only once.
func TestNoteIsWrittenOnce(t *testing.T) {
	inBubble(t, "over a partition that fails and fails", func(t *testing.T) {
		var commits atomic.Int32
		b := membroker.NewBroker(t, membroker.OnCommit(func(membroker.CommitInfo) { commits.Add(1) }))
		b.CreateTopic("t", 1)
		b.Produce("t", numbered(3)...)
		b.SetCommitted("g", "t", 0, 0, "of another client")
		r := newRig(t, b, defaults(), func(context.Context, event.KafkaEvent) error { return errors.New("no") }).start()
		pass(30 * time.Minute)
		if n, tries := commits.Load(), len(r.events()); n != 1 || tries < 10 {
			t.Errorf("%d commits of one position, after %d tries", n, tries)
		}
		r.mustStop()
	})
}

// A refused position does not affect those in another request.
func TestRefusalInOneOfSeveralRequests(t *testing.T) {
	inBubble(t, "of 1,500 partitions", func(t *testing.T) {
		const partitions = commitPortion + 500
		b := membroker.NewBroker(t)
		b.CreateTopic("t", partitions)
		var refusing atomic.Bool
		d := &wire{Driver: b.Driver()}
		d.commit = func(_ int, ctx context.Context, c driver.Consumer, commits []driver.Commit) error {
			if !refusing.Load() || len(commits) < 2 {
				return c.Commit(ctx, commits)
			}
			tp := commits[0].TopicPartition
			if err := c.Commit(ctx, commits[1:]); err != nil {
				return err
			}
			return &driver.CommitError{Partitions: map[event.TopicPartition]*driver.Error{tp: {Kind: driver.KindOther, TopicPartition: tp, Offset: -1, Err: errors.New("script")}}}
		}
		s := defaults()
		s.BatchSize = 10000
		r := newRig(t, b, s, nil, WithDriver(d), WithCommitInterval(30*time.Second)).start()
		pass(time.Minute)
		refusing.Store(true)
		for p := range int32(partitions) {
			b.Produce("t", membroker.Record{Partition: p})
		}
		pass(2 * time.Minute)
		refusing.Store(false)
		pass(2 * time.Minute)
		behind := 0
		for p := range int32(partitions) {
			if b.Committed("g", "t", p).Offset != 1 {
				behind++
			}
		}
		if behind > 0 {
			t.Errorf("%d positions were never committed", behind)
		}
		r.mustStop()
	})
}

// Commits of this mapping under an earlier filter are not mistaken for another mapping's, even if they could not be
// rewritten yet.
func TestOwnCommitsOfAnEarlierFilter(t *testing.T) {
	inBubble(t, "commits fail after an Update", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 4)
		var told []string
		m := memoryMapping()
		m.FilterCriteria = filtered(onlyA)
		r := newMapped(t, b, m, nil, WithHooks(observe.Hooks{Error: func(i observe.ErrorInfo) {
			if i.Op == observe.OpGroup {
				told = append(told, fmt.Sprint(i.Err))
			}
		}})).start()
		pass(10 * time.Minute)
		b.Fail(membroker.OpCommit, 100_000, &driver.Error{Kind: driver.KindUnavailable, Offset: -1, Err: errors.New("script")})
		m.FilterCriteria = filtered(onlyB)
		if err := r.runner.Update(m); err != nil {
			t.Fatal(err)
		}
		pass(53 * time.Minute) // it checks once an hour, and a minute later
		wantLines(t, "told", told)
		b.Heal()
		pass(time.Minute)
		r.mustStop()
	})
}

// The order of filters does not matter: a record that matches one of them is accepted.
func TestOrderOfFilters(t *testing.T) {
	of := func(patterns ...string) mapping.Mapping {
		m := memoryMapping()
		m.FilterCriteria = new(mapping.FilterCriteria)
		for _, p := range patterns {
			m.FilterCriteria.Filters = append(m.FilterCriteria.Filters, mapping.Filter{Pattern: p})
		}
		return m
	}
	if a, b := agreement(of(onlyA, onlyB)), agreement(of(onlyB, onlyA)); a != b {
		t.Errorf("%s in one order and %s in the other", a, b)
	}
	if a, b := agreement(of(onlyA, onlyB)), agreement(of(onlyA)); a == b {
		t.Error("one filter less is the same")
	}
}
