package drivertest

import (
	"context"
	"errors"
	"regexp"
	"time"

	"github.com/esm-go/esm/driver"
)

var topicCases = []testCase{
	{name: "topics/unknown, then created", run: func(k *kit) {
		m := k.open(k.prefix)
		m.wait("the report", func(s *seen) bool { return s.errors(driver.KindUnknownTopic, k.prefix) > 0 })
		topic := k.topic(1)
		k.produce(topic, 0, 2)
		m.waitRecords(tp(topic, 0), 2)
		m.look(func(s *seen) {
			if n := s.errors(driver.KindUnknownTopic, topic); n != 1 {
				k.Errorf("a missing topic was reported %d times, want once", n)
			}
		})
	}},
	{name: "topics/pattern", run: func(k *kit) {
		one, two := k.prefix+"-one", k.prefix+"-two"
		k.env.CreateTopic(k, one, 1)
		m := k.open("^" + regexp.QuoteMeta(k.prefix) + "-.*")
		m.waitOwns(tp(one, 0))
		k.env.CreateTopic(k, two, 1)
		k.produce(two, 0, 2)
		m.waitRecords(tp(two, 0), 2)
		got, err := m.c.Topics(k.ctx())
		if err != nil || len(got) != 2 {
			k.Errorf("Topics() = %+v, %v, want the two that match", got, err)
		}
	}},
	{name: "topics/grow", needs: []string{needAddPartitions}, run: func(k *kit) {
		topic := k.topic(1)
		m := k.open(topic)
		m.waitOwns(tp(topic, 0))
		k.env.AddPartitions(k, topic, 3)
		m.waitOwns(tps(topic, 0, 1, 2)...)
		k.produce(topic, 2, 2)
		m.waitRecords(tp(topic, 2), 2)
	}},
	{name: "topics/describe", run: func(k *kit) {
		topic := k.topic(3)
		second := topic + "-2"
		k.env.CreateTopic(k, second, 1)
		m := k.open(topic)
		m.waitOwns(tps(topic, 0, 1, 2)...)
		got, err := m.c.Topics(k.ctx(), second, topic, topic+"-none")
		if err != nil || len(got) != 3 {
			k.Fatalf("Topics: %+v, %v", got, err)
		}
		if got[0].Name != second || got[0].Partitions != 1 || got[0].Err != nil || got[1].Name != topic || got[1].Partitions != 3 || got[1].Err != nil {
			k.Errorf("Topics = %+v", got)
		}
		var e *driver.Error
		if !errors.As(got[2].Err, &e) || e.Kind != driver.KindUnknownTopic || got[2].Name != topic+"-none" {
			k.Errorf("an unknown topic: %+v, want %v", got[2], driver.KindUnknownTopic)
		}
		all, err := m.c.Topics(k.ctx())
		if err != nil || len(all) != 1 || all[0].Name != topic || all[0].Partitions != 3 {
			k.Errorf("Topics() = %+v, %v, want %s alone", all, err, topic)
		}
	}},
	{name: "topics/deleted", needs: []string{needDeleteTopic}, run: func(k *kit) {
		topic := k.topic(1)
		stays := topic + "-stays"
		k.env.CreateTopic(k, stays, 1)
		m := k.open(topic, config(func(c *driver.Config) { c.Topics = []string{topic, stays} }))
		m.waitOwns(tp(topic, 0), tp(stays, 0))
		k.produce(topic, 0, 2)
		m.waitRecords(tp(topic, 0), 2)
		k.env.DeleteTopic(k, topic)
		m.wait("the report", func(s *seen) bool { return s.errors(driver.KindUnknownTopic, topic) > 0 })
		k.produce(stays, 0, 3)
		m.waitRecords(tp(stays, 0), 3)
		m.look(func(s *seen) {
			if n := s.errors(driver.KindUnknownTopic, topic); n > 2 {
				k.Errorf("a deleted topic was reported %d times", n)
			}
		})
	}},
	{name: "topics/deleted and made again", needs: []string{needDeleteTopic, needTopicIDs}, lacks: lacksTopicIDs, run: func(k *kit) {
		topic := k.topic(1)
		p := tp(topic, 0)
		m := k.open(topic, held)
		m.waitOwns(p)
		m.begin(0, 1, p)
		k.produce(topic, 0, 5)
		m.waitRecords(p, 5)
		k.commit(m, p, 5)
		before, err := m.c.Topics(k.ctx(), topic)
		if err != nil {
			k.Fatal(err)
		}
		k.env.DeleteTopic(k, topic)
		k.env.CreateTopic(k, topic, 1)
		k.produce(topic, 0, 8)
		// Either the driver reports it, or the group revokes the partition and assigns it again. It is held either way.
		m.wait("news of the new topic", func(s *seen) bool {
			return s.errors(driver.KindTopicRecreated, topic) > 0 || s.count("assigned", p) == 2
		})
		after, err := m.c.Topics(k.ctx(), topic)
		if err != nil || len(after) != 1 || after[0].ID == before[0].ID {
			k.Errorf("the topic's id did not change: %+v, %+v, %v", before, after, err)
		}
		m.look(func(s *seen) {
			pp := s.part(p)
			if s.count("assigned", p) == 2 && pp.runs > 0 || len(pp.records) > 5 {
				k.Errorf("%d records and %d runs: the new topic was read without a Start", len(pp.records), pp.runs)
			}
		})
		// The group may revoke the partition and assign it again at any of these moments. Then it is held again.
		epoch := uint64(1)
		read := func() {
			for begun := false; !begun; {
				epoch++
				m.begin(0, epoch, p)
				m.wait("the new records from the beginning", func(s *seen) bool {
					pp := s.part(p)
					begun = pp.started[epoch]
					return !begun || pp.epoch == epoch && len(pp.records) == 8 && pp.records[0].Offset == 0
				})
			}
		}
		read()
		read()
		// The old topic's commit does not apply to the new one, which accepts its own.
		k.committed(p, -1)
		if got, err := m.c.Committed(k.ctx(), []driver.TopicPartition{p}); err != nil || got[0].Err != nil || got[0].Offset != -1 {
			k.Errorf("Committed of the new topic: %+v, %v, want none", got, err)
		}
		k.commitInTheEnd(m, p, 3)
		k.committed(p, 3)
	}},
	{name: "topics/no context", run: func(k *kit) {
		topic := k.topic(1)
		m := k.open(topic)
		m.waitOwns(tp(topic, 0))
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		ended(ctx, k, m, tp(topic, 0))
	}},
}

// ended checks that every waiting call returns the error of its context.
func ended(ctx context.Context, k *kit, m *member, p driver.TopicPartition) {
	k.Helper()
	for name, call := range map[string]func() error{
		"Commit": func() error {
			return m.c.Commit(ctx, []driver.Commit{{TopicPartition: p, Offset: 1, LeaderEpoch: -1}})
		},
		"Committed": func() error {
			_, err := m.c.Committed(ctx, []driver.TopicPartition{p})
			return err
		},
		"ListOffsets": func() error {
			_, err := m.c.ListOffsets(ctx, []driver.OffsetQuery{{TopicPartition: p, At: driver.AtEnd}})
			return err
		},
		"Topics": func() error {
			_, err := m.c.Topics(ctx, p.Topic)
			return err
		},
	} {
		begin := time.Now()
		if err := call(); !errors.Is(err, ctx.Err()) || ctx.Err() == nil {
			k.Errorf("%s whose context ends (%v): %v", name, ctx.Err(), err)
		}
		if d := time.Since(begin); d > 2*time.Second {
			k.Errorf("%s returned %v after its context had ended", name, d)
		}
	}
}
