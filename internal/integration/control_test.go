package integration

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/esm-go/esm"
	"github.com/esm-go/esm/driver"
)

func TestPauseAndResume(t *testing.T) {
	onFake(t, func(t *testing.T, e *env) {
		e.CreateTopic(t, "t", 2)
		e.fillAll(t, "t", 2, 10)
		p := e.run(t, e.mapping("t"), nil)
		e.committed(t, "t", map[int32]int64{0: 10, 1: 10}, p)
		p.runner.Pause()
		p.until("Disabled", func() bool { return slices.Contains(p.states, esm.Disabled) })
		e.fillAll(t, "t", 2, 10)
		eventually(t, "the lag to show", func() bool { return p.runner.Status().SumOffsetLag == 20 }, p)
		if n := look(p, p.count); n != 20 {
			t.Errorf("%d records handled while paused", n-20)
		}
		p.runner.Resume()
		e.committed(t, "t", map[int32]int64{0: 20, 1: 20}, p)
		p.endClean()
		wantOffsets(t, offsets("t", p), map[int32][]int64{0: span(0, 20), 1: span(0, 20)})
		want := []esm.State{esm.Creating, esm.Enabled, esm.Disabling, esm.Disabled, esm.Enabling, esm.Enabled, esm.Disabling, esm.Disabled}
		if !slices.Equal(p.states, want) {
			t.Errorf("states %v, want %v", p.states, want)
		}
	})
}

func TestAMappingThatBeginsDisabled(t *testing.T) {
	onFake(t, func(t *testing.T, e *env) {
		e.CreateTopic(t, "t", 1)
		e.fill(t, "t", 0, 10)
		m := e.mapping("t")
		m.Enabled = new(bool)
		p := e.run(t, m, nil)
		p.until("Disabled", func() bool { return slices.Contains(p.states, esm.Disabled) })
		p.runner.Resume()
		e.committed(t, "t", map[int32]int64{0: 10}, p)
		p.endClean()
	})
}

func TestUpdateOfARunningMapping(t *testing.T) {
	onFake(t, func(t *testing.T, e *env) {
		e.CreateTopic(t, "t", 1)
		m := e.mapping("t")
		m.BatchSize = 1
		p := e.run(t, m, nil)
		e.fill(t, "t", 0, 10)
		e.committed(t, "t", map[int32]int64{0: 10}, p)
		if n := look(p, func() int { return len(p.batches) }); n != 10 {
			t.Errorf("%d batches with BatchSize 1, want 10", n)
		}
		rebalances := p.runner.Metrics().RebalanceCount

		moved := m
		moved.Topics = []string{"u"}
		if err := p.runner.Update(moved); !errors.Is(err, esm.ErrImmutable) {
			t.Errorf("Update of Topics: %v, want ErrImmutable", err)
		}
		m.BatchSize = 1000
		m.FilterCriteria = vip()
		if err := p.runner.Update(m); err != nil {
			t.Fatalf("Update: %v", err)
		}
		produceOrders(t, e.Client, "t", 200)
		e.committed(t, "t", map[int32]int64{0: 210}, p)
		if s := p.runner.Status().State; s != esm.Enabled {
			t.Errorf("state %s after Update, want Enabled", s)
		}
		if n := p.runner.Metrics().RebalanceCount; n != rebalances {
			t.Errorf("Update made %d rebalances", n-rebalances)
		}
		p.endClean()
		wantOffsets(t, offsets("t", p), map[int32][]int64{0: append(span(0, 10), 10, 110)})
	})
}

func TestASecondProcessTakesOverWithoutRepeats(t *testing.T) {
	onFake(t, func(t *testing.T, e *env) {
		e.CreateTopic(t, "t", 4)
		const n = 2000
		e.fillAll(t, "t", 4, n)
		joined := make(chan struct{}) // until then each batch takes some time
		slow := func(context.Context, esm.KafkaEvent) error {
			select {
			case <-joined:
			case <-time.After(20 * time.Millisecond):
			}
			return nil
		}
		m := e.mapping("t")
		m.BatchSize = 10
		a := e.run(t, m, slow)
		a.until("some records", func() bool { return a.count() >= 40 })
		b := e.run(t, m, slow)
		both(a, b)
		close(joined)
		e.committed(t, "t", map[int32]int64{0: n, 1: n, 2: n, 3: n}, a, b)
		a.endClean()
		b.endClean()
		got := offsets("t", a, b)
		want := map[int32][]int64{0: span(0, n), 1: span(0, n), 2: span(0, n), 3: span(0, n)}
		wantOffsets(t, got, want)
		if len(b.records) != 2 {
			t.Errorf("the second process handled %d partitions, want 2", len(b.records))
		}
	})
}

func TestAStaticMemberComesBackWithoutARebalance(t *testing.T) {
	onFake(t, func(t *testing.T, e *env) {
		e.CreateTopic(t, "t", 4)
		e.fillAll(t, "t", 4, 10)
		a := e.run(t, e.mapping("t"), nil, esm.WithGroupInstanceID("a"))
		b := e.run(t, e.mapping("t"), nil, esm.WithGroupInstanceID("b"))
		both(a, b)
		e.committed(t, "t", map[int32]int64{0: 10, 1: 10, 2: 10, 3: 10}, a, b)
		before := b.runner.Metrics().RebalanceCount
		a.endClean()
		e.fillAll(t, "t", 4, 5)
		again := e.run(t, e.mapping("t"), nil, esm.WithGroupInstanceID("a"))
		e.committed(t, "t", map[int32]int64{0: 15, 1: 15, 2: 15, 3: 15}, again, b)
		if n := b.runner.Metrics().RebalanceCount; n != before {
			t.Errorf("the other member saw %d rebalances", n-before)
		}
		again.endClean()
		b.endClean()
	})
}

func TestAStaticMemberIsFencedByItsDouble(t *testing.T) {
	onFake(t, func(t *testing.T, e *env) {
		e.CreateTopic(t, "t", 1)
		a := e.run(t, e.mapping("t"), nil, esm.WithGroupInstanceID("a")).ready()
		double := e.run(t, e.mapping("t"), nil, esm.WithGroupInstanceID("a")).ready()
		<-a.ended
		var source *esm.SourceError
		var kind *driver.Error
		if !errors.As(a.err, &source) || !errors.As(a.err, &kind) || kind.Kind != driver.KindFenced {
			t.Errorf("Run: %v, want a *SourceError of KindFenced", a.err)
		}
		e.fill(t, "t", 0, 5)
		e.committed(t, "t", map[int32]int64{0: 5}, double)
		double.endClean()
	})
}
