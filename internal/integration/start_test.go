package integration

import (
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/esm-go/esm"
	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/internal/kafkatest"
)

// from makes a mapping start at a position, and for AT_TIMESTAMP at that time.
func from(m esm.Mapping, at esm.StartingPosition, when time.Time) esm.Mapping {
	if m.StartingPosition = at; at == esm.AtTimestamp {
		m.StartingPositionTimestamp = when
	}
	return m
}

// both waits until two processes share the partitions.
func both(a, b *process) {
	shared := func(p *process) func() bool { return func() bool { return len(p.owned) == 2 } }
	a.until("half of the partitions", shared(a))
	b.until("half of the partitions", shared(b))
	a.ready()
	b.ready()
}

// A second process joins before the first record, some partitions stay idle, everything stops and restarts:
// the meaning of LATEST and AT_TIMESTAMP was decided once.
func TestLatestAndAtTimestampLoseAndReplayNothing(t *testing.T) {
	for _, at := range []esm.StartingPosition{esm.Latest, esm.AtTimestamp} {
		t.Run(string(at), func(t *testing.T) {
			onFake(t, func(t *testing.T, e *env) {
				e.CreateTopic(t, "t", 4)
				before := time.Now().Add(-time.Hour).Truncate(time.Second)
				for p := range int32(4) {
					for range 3 {
						e.Produce(t, kafkatest.At(p, &kgo.Record{Topic: "t", Value: []byte("old"), Timestamp: before.Add(-time.Hour)}))
					}
				}
				m := from(e.mapping("t"), at, before)
				a := e.run(t, m, nil).ready()
				b := e.run(t, m, nil)
				both(a, b)
				e.fill(t, "t", 0, 10)
				e.fill(t, "t", 1, 10)
				e.committed(t, "t", map[int32]int64{0: 13, 1: 13, 2: 3, 3: 3}, a, b)
				a.endClean()
				b.endClean()
				wantOffsets(t, offsets("t", a, b), map[int32][]int64{0: span(3, 13), 1: span(3, 13)})

				e.fill(t, "t", 1, 2) // while no process runs
				e.fill(t, "t", 2, 5) // on a partition that was idle
				c := e.run(t, m, nil).ready()
				c.until("what came meanwhile", func() bool { return c.count() >= 7 })
				d := e.run(t, m, nil)
				both(c, d)
				e.fill(t, "t", 3, 4)
				e.committed(t, "t", map[int32]int64{0: 13, 1: 15, 2: 8, 3: 7}, c, d)
				c.endClean()
				d.endClean()
				wantOffsets(t, offsets("t", c, d), map[int32][]int64{1: span(13, 15), 2: span(3, 8), 3: span(3, 7)})
			})
		})
	}
}

func TestAtTimestampBeginsAtTheRecord(t *testing.T) {
	onFake(t, func(t *testing.T, e *env) {
		e.CreateTopic(t, "t", 2)
		start := time.Now().Add(-time.Hour).Truncate(time.Second)
		for i := range 20 {
			e.Produce(t, kafkatest.At(0, &kgo.Record{Topic: "t", Value: []byte("v"), Timestamp: start.Add(time.Duration(i) * time.Second)}))
		}
		p := e.run(t, from(e.mapping("t"), esm.AtTimestamp, start.Add(12*time.Second)), nil)
		e.committed(t, "t", map[int32]int64{0: 20, 1: 0}, p)
		p.endClean()
		wantOffsets(t, offsets("t", p), map[int32][]int64{0: span(12, 20)})
	})
}

func TestACommitWinsOverStartingPosition(t *testing.T) {
	for _, at := range []esm.StartingPosition{esm.TrimHorizon, esm.Latest, esm.AtTimestamp} {
		t.Run(string(at), func(t *testing.T) {
			onFake(t, func(t *testing.T, e *env) {
				e.CreateTopic(t, "t", 1)
				e.fill(t, "t", 0, 10)
				e.Commit(t, e.group, "t", map[int32]int64{0: 4})
				p := e.run(t, from(e.mapping("t"), at, time.Now().Add(-time.Minute)), nil)
				e.committed(t, "t", map[int32]int64{0: 10}, p)
				p.endClean()
				wantOffsets(t, offsets("t", p), map[int32][]int64{0: span(4, 10)})
			})
		})
	}
}

func TestRetentionPassedTheCommit(t *testing.T) {
	onFake(t, func(t *testing.T, e *env) {
		e.CreateTopic(t, "t", 1)
		e.fill(t, "t", 0, 20)
		e.Commit(t, e.group, "t", map[int32]int64{0: 3})
		e.DeleteRecords(t, "t", map[int32]int64{0: 10})
		p := e.run(t, from(e.mapping("t"), esm.Latest, time.Time{}), nil)
		e.committed(t, "t", map[int32]int64{0: 20}, p)
		p.endClean()
		wantOffsets(t, offsets("t", p), map[int32][]int64{0: span(10, 20)})
		want := esm.OffsetsLostInfo{TopicPartition: esm.TopicPartition{Topic: "t"}, From: 3, To: 10, Lost: 7, Why: "retention"}
		if len(p.lost) != 1 || p.lost[0] != want {
			t.Errorf("told of %+v, want once %+v", p.lost, want)
		}
		if n := p.runner.Metrics().LostEventCount; n != 7 {
			t.Errorf("LostEventCount %d, want 7", n)
		}
	})
}

func TestATopicThatIsMissingAtTheStart(t *testing.T) {
	for _, at := range []esm.StartingPosition{esm.TrimHorizon, esm.Latest} {
		t.Run(string(at), func(t *testing.T) {
			onFake(t, func(t *testing.T, e *env) {
				p := e.run(t, from(e.mapping("t"), at, time.Time{}), nil)
				p.until("the error", func() bool { return p.failed(driver.KindUnknownTopic) })
				if r := p.runner.Status().LastProcessingResult; !strings.HasPrefix(r, "PROBLEM: Connection error.") {
					t.Errorf("LastProcessingResult %q", r)
				}
				e.CreateTopic(t, "t", 2)
				e.fillAll(t, "t", 2, 5)
				e.committed(t, "t", map[int32]int64{0: 5, 1: 5}, p)
				p.endClean()
			})
		})
	}
}

func TestATopicDeletedAndMadeAgain(t *testing.T) {
	for _, at := range []esm.StartingPosition{esm.TrimHorizon, esm.Latest} {
		t.Run(string(at), func(t *testing.T) {
			onFake(t, func(t *testing.T, e *env) {
				e.CreateTopic(t, "t", 1)
				p := e.run(t, from(e.mapping("t"), at, time.Time{}), nil).ready()
				e.fill(t, "t", 0, 10)
				e.committed(t, "t", map[int32]int64{0: 10}, p)
				e.DeleteTopic(t, "t")
				p.until("the error", func() bool { return p.failed(driver.KindUnknownTopic) })
				e.CreateTopic(t, "t", 1)
				e.fill(t, "t", 0, 5)
				e.committed(t, "t", map[int32]int64{0: 5}, p)
				p.endClean()
				wantOffsets(t, offsets("t", p), map[int32][]int64{0: append(span(0, 10), span(0, 5)...)})
			})
		})
	}
}

func TestATopicDeletedForGood(t *testing.T) {
	onFake(t, func(t *testing.T, e *env) {
		e.CreateTopic(t, "t", 1)
		e.CreateTopic(t, "u", 1)
		p := e.run(t, e.mapping("t", "u"), nil).ready()
		e.fill(t, "t", 0, 10)
		e.committed(t, "t", map[int32]int64{0: 10}, p)
		e.DeleteTopic(t, "t")
		p.until("the error", func() bool { return p.failed(driver.KindUnknownTopic) })
		e.fill(t, "u", 0, 20)
		e.committed(t, "u", map[int32]int64{0: 20}, p)
		p.endClean()
		wantOffsets(t, offsets("t", p), map[int32][]int64{0: span(0, 10)})
		wantOffsets(t, offsets("u", p), map[int32][]int64{0: span(0, 20)})
	})
}

func TestATopicOfAPatternThatAppearsLater(t *testing.T) {
	for _, at := range []esm.StartingPosition{esm.TrimHorizon, esm.Latest} {
		t.Run(string(at), func(t *testing.T) {
			onFake(t, func(t *testing.T, e *env) {
				e.CreateTopic(t, "orders-a", 1)
				e.CreateTopic(t, "other", 1)
				e.fill(t, "orders-a", 0, 5)
				e.fill(t, "other", 0, 5)
				p := e.run(t, from(e.mapping("^orders-.*"), at, time.Time{}), nil)
				e.committed(t, "orders-a", map[int32]int64{0: 5}, p)
				e.CreateTopic(t, "orders-b", 2)
				e.fillAll(t, "orders-b", 2, 5)
				e.committed(t, "orders-b", map[int32]int64{0: 5, 1: 5}, p)
				p.endClean()
				wantOffsets(t, offsets("other", p), nil)
				wantOffsets(t, offsets("orders-b", p), map[int32][]int64{0: span(0, 5), 1: span(0, 5)})
			})
		})
	}
}

func TestPartitionsAddedLaterAreReadFromTheirBeginning(t *testing.T) {
	onFake(t, func(t *testing.T, e *env) {
		e.CreateTopic(t, "t", 1)
		e.fill(t, "t", 0, 5)
		m := from(e.mapping("t"), esm.Latest, time.Time{})
		p := e.run(t, m, nil).ready()
		e.GrowTopic(t, "t", 3)
		e.fill(t, "t", 1, 4)
		e.fill(t, "t", 2, 4)
		e.fill(t, "t", 0, 1)
		e.committed(t, "t", map[int32]int64{0: 6, 1: 4, 2: 4}, p)
		p.endClean()
		wantOffsets(t, offsets("t", p), map[int32][]int64{0: {5}, 1: span(0, 4), 2: span(0, 4)})

		e.GrowTopic(t, "t", 4) // while no process runs
		e.fill(t, "t", 3, 4)
		again := e.run(t, m, nil)
		e.committed(t, "t", map[int32]int64{0: 6, 1: 4, 2: 4, 3: 4}, again)
		again.endClean()
		wantOffsets(t, offsets("t", again), map[int32][]int64{3: span(0, 4)})
	})
}
