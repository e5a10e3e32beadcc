package integration

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/esm-go/esm"
	"github.com/esm-go/esm/internal/kafkatest"
	"github.com/esm-go/esm/scaling"
)

// taking returns a handler that takes d for each call.
func taking(d time.Duration) esm.Handler {
	return func(ctx context.Context, _ esm.KafkaEvent) error {
		select {
		case <-time.After(d):
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// scalings are the decisions that a process reported.
type scalings struct {
	mu   sync.Mutex
	list []esm.ScaledInfo
}

func (s *scalings) hook() esm.Option {
	return esm.WithHooks(esm.Hooks{Scaled: func(i esm.ScaledInfo) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.list = append(s.list, i)
	}})
}

// most returns the highest number of workers that was asked for.
func (s *scalings) most() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, i := range s.list {
		n = max(n, i.To.Workers)
	}
	return n
}

func (s *scalings) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	text := ""
	for _, i := range s.list {
		text += "\n  " + i.Reason.String()
	}
	return text
}

// drain gives one process a backlog, and checks that the workers rise to drain it and fall again, all without
// a rebalance. Then a second process joins and shares the next backlog.
func drain(t *testing.T, e *env, partitions int32, backlog, second int, invocation, drainTime time.Duration) {
	topic := e.NewTopic(t, int(partitions))
	produce := func(from, n int) {
		e.ProduceN(t, topic, n, func(i int) *kgo.Record {
			return kafkatest.At(int32(from+i)%partitions, &kgo.Record{Value: fmt.Appendf(nil, "%d", from+i)})
		})
	}
	produce(0, backlog)
	m := e.mapping(topic)
	m.BatchSize = 10
	// The handler is the bottleneck: there is room for more members, and none joins.
	m.ProvisionedPollerConfig = &esm.ProvisionedPollerConfig{MinimumPollers: new(1), MaximumPollers: new(4)}
	start := func(s *scalings) *process {
		return e.run(t, m, taking(invocation), esm.WithScaler(&scaling.Drain{DrainTime: drainTime}), s.hook())
	}
	var sa, sb scalings
	begun := time.Now()
	a := start(&sa)
	e.committed(t, topic, e.EndOffsets(t, topic), a)
	drained := time.Since(begun)
	lowest := func(p *process, s *scalings) {
		t.Helper()
		eventually(t, "the minimum of workers", func() bool { return p.runner.Status().Workers == 1 }, p, s)
	}
	lowest(a, &sa)
	alone := time.Duration(backlog/10) * invocation
	t.Logf("%d records on %d partitions: %v of work drained in %v with up to %d workers, the minimum after %v", backlog, partitions,
		alone, drained.Round(time.Millisecond), sa.most(), time.Since(begun).Round(time.Millisecond))
	if want := min(int(partitions), int(alone/drainTime)) / 2; sa.most() < want {
		t.Errorf("at most %d workers, want %d at least: %v", sa.most(), want, &sa)
	}
	if n := a.runner.Metrics().RebalanceCount; n != 1 {
		t.Errorf("%d changes of the assignment, want the first one alone", n)
	}
	wantOffsets(t, offsets(topic, a), every(partitions, int64(backlog)/int64(partitions)))

	b := start(&sb)
	for _, p := range []*process{a, b} {
		p.until("half of the partitions", func() bool { return len(p.owned) == int(partitions)/2 })
	}
	produce(backlog, second)
	e.committed(t, topic, e.EndOffsets(t, topic), a, b)
	lowest(a, &sa)
	lowest(b, &sb)
	if sb.most() < 2 {
		t.Errorf("the second process had at most %d workers: %v", sb.most(), &sb)
	}
	a.endClean()
	b.endClean()
	wantOffsets(t, offsets(topic, a, b), every(partitions, int64(backlog+second)/int64(partitions)))
}

// every returns offsets 0 … n-1 of each partition.
func every(partitions int32, n int64) map[int32][]int64 {
	want := map[int32][]int64{}
	for p := range partitions {
		want[p] = span(0, n)
	}
	return want
}

// It takes some seconds, since the policy must see the load before it follows it, and be sure before it
// reduces.
func TestDrainFollowsABacklog(t *testing.T) {
	onFake(t, func(t *testing.T, e *env) { drain(t, e, 16, 3_200, 3_200, 50*time.Millisecond, 2*time.Second) })
}

// The backlog is 1,000 s of work for one worker and 16 s for 64. The test takes that long, plus the fall,
// plus a quarter of the backlog for two processes.
func TestKafkaDrainFollowsABacklog(t *testing.T) {
	onKafka(t, func(t *testing.T, e *env) { drain(t, e, 64, 200_000, 51_200, 50*time.Millisecond, 10*time.Second) })
}
