package drivertest

import (
	"time"

	"github.com/esm-go/esm/driver"
)

var positionCases = []testCase{
	{name: "position/held until Start", run: func(k *kit) {
		topic := k.topic(2)
		k.produce(topic, 0, 5)
		k.produce(topic, 1, 5)
		m := k.open(topic, held)
		m.waitOwns(tps(topic, 0, 1)...)
		m.begin(0, 1, tp(topic, 1))
		m.waitRecords(tp(topic, 1), 5)
		m.look(func(s *seen) {
			if n := s.part(tp(topic, 0)).runs; n != 0 {
				k.Errorf("%d runs of a partition that was not started", n)
			}
		})
		m.begin(0, 1, tp(topic, 0))
		m.waitRecords(tp(topic, 0), 5)
	}},
	{name: "position/Start elsewhere", run: func(k *kit) {
		topic := k.topic(1)
		k.produce(topic, 0, 10)
		records := k.open(topic, from(7)).waitRecords(tp(topic, 0), 3)
		if records[0].Offset != 7 {
			k.Errorf("reading begins at %d, want 7", records[0].Offset)
		}
	}},
	{name: "position/Start at the end", run: func(k *kit) {
		topic := k.topic(2)
		k.produce(topic, 0, 3)
		k.produce(topic, 1, 3)
		m := k.open(topic, from(3))
		m.waitOwns(tps(topic, 0, 1)...)
		k.produce(topic, 0, 1)
		if r := m.waitRecords(tp(topic, 0), 1); r[0].Offset != 3 {
			k.Errorf("reading begins at %d, want 3", r[0].Offset)
		}
		m.look(func(s *seen) {
			if len(s.errs) != 0 {
				k.Errorf("a position at the end is an error: %v", s.errs)
			}
		})
	}},
	{name: "position/second Start", run: func(k *kit) {
		topic := k.topic(1)
		p := tp(topic, 0)
		k.produce(topic, 0, 500)
		m := k.open(topic)
		m.waitRecords(p, 1)
		// Back and forth; member checks that no older epoch follows a newer one.
		for epoch := uint64(2); epoch < 12; epoch++ {
			offset := int64(epoch%2) * 400
			m.begin(offset, epoch, p)
			m.wait("runs of the new epoch", func(s *seen) bool {
				pp := s.part(p)
				return pp.epoch == epoch && len(pp.records) > 0
			})
			m.look(func(s *seen) {
				if first := s.part(p).records[0].Offset; first != offset {
					k.Errorf("epoch %d begins at %d, want %d", epoch, first, offset)
				}
			})
		}
		m.begin(0, 12, p)
		m.wait("all of them", func(s *seen) bool { return s.part(p).epoch == 12 && len(s.part(p).records) == 500 })
	}},
	{name: "position/strangers are passed over", run: func(k *kit) {
		topic := k.topic(1)
		k.produce(topic, 0, 2)
		m := k.open(topic)
		m.waitRecords(tp(topic, 0), 2)
		strangers := []driver.TopicPartition{tp(topic, 9), tp("no-such-topic", 0)}
		m.c.Pause(strangers)
		m.c.Resume(strangers)
		for _, s := range strangers {
			m.c.Start([]driver.Start{{TopicPartition: s, Offset: 0, LeaderEpoch: -1, Epoch: 1}})
		}
		k.produce(topic, 0, 1)
		m.waitRecords(tp(topic, 0), 3)
	}},
	{name: "position/pause and resume", run: func(k *kit) {
		topic := k.topic(2)
		p, clock := tp(topic, 0), tp(topic, 1)
		m := k.open(topic)
		m.waitOwns(p, clock)
		k.produce(topic, 0, 10)
		m.waitRecords(p, 10)
		release := m.park()
		m.c.Pause([]driver.TopicPartition{p})
		release()
		k.produce(topic, 0, 10)
		for i := range 5 {
			k.produce(topic, 1, 1)
			m.waitRecords(clock, i+1)
		}
		m.look(func(s *seen) {
			if n := len(s.part(p).records); n != 10 {
				k.Errorf("%d records of a paused partition, want the 10 from before", n)
			}
		})
		// A Start keeps the pause.
		m.begin(5, 2, p)
		k.produce(topic, 1, 1)
		m.waitRecords(clock, 6)
		m.look(func(s *seen) {
			if s.part(p).epoch != 1 {
				k.Error("a Start ended the pause")
			}
		})
		m.c.Resume([]driver.TopicPartition{p})
		m.wait("the rest", func(s *seen) bool { return s.part(p).epoch == 2 && len(s.part(p).records) == 15 })
		m.look(func(s *seen) {
			if r := s.part(p).records; r[0].Offset != 5 || r[14].Offset != 19 {
				k.Errorf("read %d to %d, want 5 to 19", r[0].Offset, r[14].Offset)
			}
		})
	}},
	{name: "position/resume goes on where reading stopped", run: func(k *kit) {
		topic := k.topic(1)
		p := tp(topic, 0)
		k.produce(topic, 0, 3000)
		m := k.open(topic, config(func(c *driver.Config) { c.FetchMaxPartitionBytes = 1 << 10 }))
		m.waitRecords(p, 1)
		for range 20 {
			m.c.Pause([]driver.TopicPartition{p})
			m.c.Resume([]driver.TopicPartition{p})
		}
		for i, r := range m.waitRecords(p, 3000) {
			if r.Offset != int64(i) {
				k.Fatalf("record %d has offset %d: pausing lost or repeated records", i, r.Offset)
			}
		}
	}},
	{name: "position/pause across a rebalance", run: func(k *kit) {
		topic := k.topic(2)
		a := k.open(topic)
		a.waitOwns(tps(topic, 0, 1)...)
		a.c.Pause(tps(topic, 0, 1))
		b := k.open(topic, other)
		b.wait("one partition", func(s *seen) bool { return s.owned() == 1 })
		a.wait("one partition", func(s *seen) bool { return s.owned() == 1 })
		kept, moved := tp(topic, 0), tp(topic, 1)
		a.look(func(s *seen) {
			if !s.part(kept).owned {
				kept, moved = moved, kept
			}
		})
		k.produce(topic, kept.Partition, 3)
		k.produce(topic, moved.Partition, 3)
		b.waitRecords(moved, 3)
		if err := b.close(k.ctx()); err != nil {
			k.Errorf("Close: %v", err)
		}
		// A partition that comes back is no longer paused; one that stayed is.
		a.waitRecords(moved, 3)
		a.look(func(s *seen) {
			// The end of the empty log may have been seen before the pause.
			if n := len(s.part(kept).records); n != 0 {
				k.Errorf("%d records of a partition that stayed paused", n)
			}
		})
		a.c.Resume([]driver.TopicPartition{kept})
		a.waitRecords(kept, 3)
	}},
}

var offsetCases = []testCase{
	{name: "offsets/list", run: func(k *kit) {
		topic := k.topic(2)
		p := tp(topic, 0)
		base := time.Now().Add(-time.Hour).UnixMilli()
		for i := range int64(4) {
			k.env.Produce(k, topic, Record{Value: []byte("x"), Timestamp: base + 1000*i})
		}
		m := k.open(topic)
		m.waitOwns(tps(topic, 0, 1)...)
		ask := []struct {
			at     driver.OffsetAt
			p      driver.TopicPartition
			offset int64
		}{
			{driver.AtEarliest, p, 0},
			{driver.AtEnd, p, 4},
			{driver.OffsetAt(base), p, 0},
			{driver.OffsetAt(base + 1), p, 1},
			{driver.OffsetAt(base + 2000), p, 2},
			{driver.OffsetAt(base + 3001), p, 4},
			{driver.AtEnd, tp(topic, 1), 0},
			{driver.OffsetAt(base), tp(topic, 1), 0},
			{driver.AtEarliest, tp(topic, 1), 0},
			{0, p, 0},
		}
		var queries []driver.OffsetQuery
		for _, q := range ask {
			queries = append(queries, driver.OffsetQuery{TopicPartition: q.p, At: q.at})
		}
		answers, err := m.c.ListOffsets(k.ctx(), queries)
		if err != nil || len(answers) != len(ask) {
			k.Fatalf("ListOffsets: %v, %v", answers, err)
		}
		for i, q := range ask {
			a := answers[i]
			if a.Err != nil || a.Offset != q.offset || a.TopicPartition != q.p || a.At != q.at {
				k.Errorf("%v at %d: %+v, want %d", q.p, q.at, a, q.offset)
			}
		}
	}},
	{name: "offsets/list of a stranger", run: func(k *kit) {
		topic := k.topic(1)
		m := k.open(topic)
		m.waitOwns(tp(topic, 0))
		answers, err := m.c.ListOffsets(k.ctx(), []driver.OffsetQuery{
			{TopicPartition: tp(topic, 9), At: driver.AtEnd}, {TopicPartition: tp(topic, 0), At: driver.AtEnd},
		})
		if err != nil || len(answers) != 2 {
			k.Fatalf("ListOffsets: %v, %v", answers, err)
		}
		if answers[0].Err == nil {
			k.Errorf("the end of a partition that is not there: %+v, want an error", answers[0])
		}
		if answers[1].Err != nil || answers[1].Offset != 0 {
			k.Errorf("the end beside it: %+v", answers[1])
		}
	}},
	{name: "offsets/above the end", run: func(k *kit) { outOfRange(k, 100, nil) }},
	{name: "offsets/below the start", needs: []string{needDeleteRecords}, run: func(k *kit) {
		outOfRange(k, 2, func(p driver.TopicPartition) { k.env.DeleteRecords(k, p, 6) })
	}},
	{name: "offsets/the start overtakes a reader", needs: []string{needDeleteRecords}, run: func(k *kit) {
		topic := k.topic(1)
		p := tp(topic, 0)
		m := k.open(topic)
		m.waitOwns(p)
		k.produce(topic, 0, 2)
		m.waitRecords(p, 2)
		release := m.park()
		m.c.Pause([]driver.TopicPartition{p})
		k.produce(topic, 0, 4)
		k.env.DeleteRecords(k, p, 6)
		m.begin(2, 2, p)
		m.c.Resume([]driver.TopicPartition{p})
		release()
		m.wait("the report", func(s *seen) bool { return s.errors(driver.KindOffsetOutOfRange, topic) > 0 })
		m.begin(6, 3, p)
		k.produce(topic, 0, 1)
		m.wait("the record after", func(s *seen) bool {
			pp := s.part(p)
			return pp.epoch == 3 && len(pp.records) == 1 && pp.records[0].Offset == 6
		})
	}},
}

// outOfRange starts a partition at an offset without a record. It expects one report and no spinning; other partitions
// continue, and a Start recovers.
func outOfRange(k *kit, offset int64, prepare func(driver.TopicPartition)) {
	topic := k.topic(2)
	p, clock := tp(topic, 0), tp(topic, 1)
	k.produce(topic, 0, 8)
	if prepare != nil {
		prepare(p)
	}
	m := k.open(topic, held)
	m.waitOwns(p, clock)
	m.begin(offset, 1, p)
	m.begin(0, 1, clock)
	m.wait("the report", func(s *seen) bool { return s.errors(driver.KindOffsetOutOfRange, topic) > 0 })
	for i := range 10 {
		k.produce(topic, 1, 1)
		m.waitRecords(clock, i+1)
	}
	m.look(func(s *seen) {
		for _, e := range s.errs {
			if e.Kind != driver.KindOffsetOutOfRange || e.TopicPartition != p || e.Offset != offset {
				k.Errorf("reported %v of %v at %d, want %v of %v at %d", e.Kind, e.TopicPartition, e.Offset, driver.KindOffsetOutOfRange, p, offset)
			}
		}
		if len(s.errs) != 1 {
			k.Errorf("reported %d times, want once", len(s.errs))
		}
		if s.part(p).runs != 0 {
			k.Error("reading went on without a Start")
		}
	})
	m.begin(7, 2, p)
	if r := m.waitRecords(p, 1); r[0].Offset != 7 {
		k.Errorf("reading goes on at %d, want 7", r[0].Offset)
	}
}
