package run

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/esmtest/membroker"
	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/mapping"
	"github.com/esm-go/esm/observe"
)

func filtered(pattern string) *mapping.FilterCriteria {
	return &mapping.FilterCriteria{Filters: []mapping.Filter{{Pattern: pattern}}}
}

const (
	onlyA = `{"value":{"kind":["a"]}}`
	onlyB = `{"value":{"kind":["b"]}}`
)

func TestOneProcessRefusesAnotherMappingOfTheGroup(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*mapping.Mapping)
		want   string
	}{
		{"another filter", func(m *mapping.Mapping) { m.FilterCriteria = filtered(onlyB) }, "FilterCriteria"},
		{"another topic", func(m *mapping.Mapping) { m.Topics = []string{"u"} }, "Topics"},
		{"another function with the same ConsumerGroupId", func(m *mapping.Mapping) {
			m.SelfManagedKafkaEventSourceConfig = &mapping.SelfManagedKafkaEventSourceConfig{ConsumerGroupId: m.GroupID()}
			m.FunctionName = "g"
		}, "FunctionName"},
		{"a replica", func(m *mapping.Mapping) { m.BatchSize = 7 }, ""},
		{"a group of its own", func(m *mapping.Mapping) {
			m.FilterCriteria = filtered(onlyB)
			m.SelfManagedKafkaEventSourceConfig = &mapping.SelfManagedKafkaEventSourceConfig{ConsumerGroupId: "own"}
		}, ""},
	} {
		inBubble(t, c.name, func(t *testing.T) {
			b := membroker.NewBroker(t)
			b.CreateTopic("t", 1)
			b.CreateTopic("u", 1)
			m := memoryMapping()
			m.FilterCriteria = filtered(onlyA)
			x := newMapped(t, b, m, nil).launch()
			second := m
			c.change(&second)
			y := newMapped(t, b, second, nil).launch()
			pass(time.Second)
			x.mustStop()
			err := y.stop()
			if c.want == "" && err != nil || c.want != "" && !errors.Is(err, observe.ErrGroupInUse) {
				t.Errorf("Run: %v", err)
			}
			if c.want != "" && err != nil && !containsAll(err.Error(), c.want, m.GroupID()) {
				t.Errorf("%v does not name %s and the group", err, c.want)
			}
			z := newMapped(t, b, second, nil).launch() // the first has ended
			pass(time.Second)
			z.mustStop()
		})
	}
}

// Two drivers stand for two processes: they know of each other only through the broker.
func TestAnotherMappingOfTheGroupIsFound(t *testing.T) {
	t.Parallel()
	found := func(s *[]string) Option {
		return WithHooks(observe.Hooks{Error: func(i observe.ErrorInfo) {
			if i.Op == "group" {
				*s = append(*s, i.Err.Error())
			}
		}})
	}
	apart := func(b *membroker.Broker) Option { return WithDriver(&tap{Driver: b.Driver()}) }
	mapped := func(pattern string) mapping.Mapping {
		m := memoryMapping()
		m.FilterCriteria = filtered(pattern)
		return m
	}
	inBubble(t, "two filters at once", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 4)
		var one, two []string
		x := newMapped(t, b, mapped(onlyA), nil, apart(b), found(&one)).launch()
		y := newMapped(t, b, mapped(onlyB), nil, apart(b), found(&two)).launch()
		pass(time.Hour - time.Minute)
		if len(one) != 1 || len(two) != 1 || !containsAll(one[0], mapped(onlyA).GroupID(), "ConsumerGroupId") {
			t.Errorf("told %q and %q, want once each", one, two)
		}
		x.mustStop()
		y.mustStop()
	})
	inBubble(t, "one version takes another one's place", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 4)
		var told []string
		x := newMapped(t, b, mapped(onlyA), nil, apart(b), found(&told)).launch()
		pass(2 * time.Hour)
		y := newMapped(t, b, mapped(onlyB), nil, apart(b), found(&told)).launch()
		z := newMapped(t, b, mapped(onlyB), nil, apart(b), found(&told)).launch()
		pass(30 * time.Second)
		x.mustStop()
		pass(3 * time.Hour)
		wantLines(t, "told", told)
		y.mustStop()
		z.mustStop()
	})
	inBubble(t, "an Update in each process", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 4)
		var told []string
		x := newMapped(t, b, mapped(onlyA), nil, apart(b), found(&told)).launch()
		y := newMapped(t, b, mapped(onlyA), nil, apart(b), found(&told)).launch()
		pass(10 * time.Minute)
		for _, r := range []*rig{x, y} {
			if err := r.runner.Update(mapped(onlyB)); err != nil {
				t.Fatal(err)
			}
		}
		pass(10 * time.Second)
		b.Rebalance("")
		b.Revoke()
		pass(5 * time.Minute)
		wantLines(t, "told", told)
		x.mustStop()
		y.mustStop()
	})
}

// A topic added to Topics joins the existing group: the other topics continue at their commits.
func TestTopicAddedToTopics(t *testing.T) {
	inBubble(t, "begins at StartingPosition", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.Produce("t", numbered(3)...)
		b.CreateTopic("u", 1)
		b.Produce("u", numbered(2)...)
		m := memoryMapping()
		m.StartingPosition = mapping.Latest
		r := newMapped(t, b, m, nil).launch()
		b.Produce("t", numbered(1)...)
		pass(2 * time.Second)
		r.mustStop()
		b.Produce("t", numbered(2)...)
		m.Topics = []string{"u", "t"}
		r = newMapped(t, b, m, nil).launch()
		b.Produce("u", numbered(1)...)
		pass(5 * time.Second)
		got := make(map[string]string)
		for _, key := range []string{"t-0", "u-0"} {
			var all []event.KafkaRecord
			for _, e := range r.events() {
				all = append(all, e.Records[key]...)
			}
			got[key] = briefRecords(all)
		}
		if want := "map[t-0:[4 5] u-0:[2]]"; fmt.Sprint(got) != want {
			t.Errorf("handled %v, want %s", got, want)
		}
		r.mustStop()
	})
}

// Brokers before 2.1 count a commit's age from the time of the commit, whether its group is active or not.
func TestIdlePositionsAreCommittedAgain(t *testing.T) {
	t.Parallel()
	inBubble(t, "once an hour", func(t *testing.T) {
		commits := make(map[int32]int)
		b := membroker.NewBroker(t, membroker.OnCommit(func(i membroker.CommitInfo) { commits[i.Partition]++ }))
		b.CreateTopic("t", 3)
		b.Produce("t", numbered(2)...)
		r := newRig(t, b, defaults(), nil).start()
		pass(10 * time.Minute)
		before, requests := commits[0], b.Calls(membroker.OpCommit)
		pass(24 * time.Hour)
		for p := range int32(3) {
			if n := commits[p] - map[int32]int{0: before, 1: 1, 2: 1}[p]; n != 24 {
				t.Errorf("partition %d was committed %d times in a day, want 24", p, n)
			}
		}
		if n := b.Calls(membroker.OpCommit) - requests; n != 24 {
			t.Errorf("%d requests in a day, want 24", n)
		}
		if k := b.Committed("g", "t", 0).Offset; k != 2 {
			t.Errorf("committed %d, want 2", k)
		}
		r.mustStop()
	})
	inBubble(t, "while paused too", func(t *testing.T) {
		commits := 0
		b := membroker.NewBroker(t, membroker.OnCommit(func(membroker.CommitInfo) { commits++ }))
		b.CreateTopic("t", 1)
		r := newRig(t, b, defaults(), nil).start()
		r.runner.Pause()
		pass(5 * time.Hour)
		synctest.Wait()
		if commits != 6 {
			t.Errorf("%d commits in five hours, want the start and five", commits)
		}
		r.mustStop()
	})
}

// A position that is refused while others are accepted is retried by itself.
func TestRefusedCommitKeepsNoOtherWaiting(t *testing.T) {
	inBubble(t, "one partition of two", func(t *testing.T) {
		var last time.Time
		b := membroker.NewBroker(t, membroker.OnCommit(func(i membroker.CommitInfo) {
			if i.Partition == 1 {
				last = time.Now()
			}
		}))
		b.CreateTopic("t", 2)
		d := &refuser{Driver: b.Driver()}
		r := newRig(t, b, defaults(), func(context.Context, event.KafkaEvent) error { return nil }, WithDriver(d)).start()
		d.refuse.Store(true)
		for range 60 {
			b.Produce("t", membroker.Record{Partition: 0}, membroker.Record{Partition: 1})
			pass(time.Second)
			if late := time.Since(last); late > 2*time.Second {
				t.Fatalf("the good partition was last committed %v ago", late)
			}
		}
		d.refuse.Store(false)
		pass(10 * time.Second)
		if k := b.Committed("g", "t", 0).Offset; k != 60 {
			t.Errorf("committed %d in the end, want 60", k)
		}
		r.mustStop()
	})
}

// refuser refuses the commits of partition 0.
type refuser struct {
	driver.Driver
	refuse atomic.Bool
}

func (d *refuser) Open(cfg driver.Config, l driver.Listener) (driver.Consumer, error) {
	c, err := d.Driver.Open(cfg, l)
	return &refusing{c, d}, err
}

type refusing struct {
	driver.Consumer
	d *refuser
}

func (c *refusing) Commit(ctx context.Context, commits []driver.Commit) error {
	var rest []driver.Commit
	refused := make(map[event.TopicPartition]*driver.Error)
	for _, k := range commits {
		if k.Partition == 0 && c.d.refuse.Load() {
			refused[k.TopicPartition] = &driver.Error{Kind: driver.KindUnknownTopic, TopicPartition: k.TopicPartition, Offset: -1}
			continue
		}
		rest = append(rest, k)
	}
	if err := c.Consumer.Commit(ctx, rest); err != nil || len(refused) == 0 {
		return err
	}
	return &driver.CommitError{Partitions: refused}
}

func containsAll(s string, parts ...string) bool {
	for _, p := range parts {
		if !strings.Contains(s, p) {
			return false
		}
	}
	return true
}
