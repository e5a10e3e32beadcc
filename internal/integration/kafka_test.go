package integration

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/esm-go/esm"
	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/internal/kafkatest"
)

// many returns a million records for franz, and fewer for the others, which need not prove it again.
func (e *env) many() int {
	if e.driver.Name() == "franz" {
		return 1_000_000
	}
	return 200_000
}

// A consumer is killed in the middle and another one continues: nothing is lost, the order holds, and only
// what the group had not committed is repeated.
func TestKafkaKilledConsumer(t *testing.T) {
	onKafka(t, func(t *testing.T, e *env) {
		n := e.many()
		topic := ordersTopic(t, e.Client, n)
		m := e.mapping(topic)
		m.BatchSize = 500
		first := child{Driver: e.driver.Name(), Mapping: m, File: t.TempDir() + "/first"}
		cmd := first.start(t)
		third := int64(n) / 3 * int64(len("0 12345\n"))
		eventually(t, "a third of the records", func() bool { return first.size() > third })
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait() // returns "signal: killed"
		before := first.read(t)
		held := e.Committed(t, e.group, topic)

		second := child{Driver: e.driver.Name(), Mapping: m, File: t.TempDir() + "/second"}
		cmd = second.start(t)
		ends := e.EndOffsets(t, topic)
		e.committed(t, topic, ends)
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("the second consumer: %v", err)
		}
		after := second.read(t)
		handled, repeated := 0, int64(0)
		for p, end := range ends {
			a, b := before[p], after[p]
			if !isRun(a) || !isRun(b) {
				t.Errorf("partition %d: a consumer handled records out of order", p)
				continue
			}
			next := int64(len(a)) // the first offset that the first consumer did not handle
			if len(a) > 0 && a[0] != 0 {
				t.Errorf("partition %d: begins at %d", p, a[0])
			}
			if held[p] > next {
				t.Errorf("partition %d: committed %d, handled %d", p, held[p], next)
			}
			if len(b) == 0 {
				b = []int64{end}
			} else if b[len(b)-1] != end-1 {
				t.Errorf("partition %d: the second consumer handled %s, want up to %d", p, brief(b), end-1)
			}
			// A commit that was in flight at the kill may have been applied after held was read.
			if b[0] < held[p] || b[0] > next {
				t.Errorf("partition %d: the second consumer begins at %d; committed %d, handled up to %d", p, b[0], held[p], next)
			}
			handled += len(a)
			repeated += next - b[0]
		}
		t.Logf("killed after %d of %d records; %d repeated", handled, n, repeated)
		if handled == n {
			t.Error("the kill came too late to show anything")
		}
		if repeated >= int64(handled) {
			t.Errorf("all of the %d records handled were repeated: nothing was committed on the way", handled)
		}
	})
}

func TestKafkaFilterOneInAHundred(t *testing.T) {
	onKafka(t, func(t *testing.T, e *env) {
		n := e.many()
		topic := ordersTopic(t, e.Client, n)
		m := e.mapping(topic)
		m.FilterCriteria = vip()
		begun := time.Now()
		p := e.run(t, m, nil)
		e.committed(t, topic, e.EndOffsets(t, topic), p)
		t.Logf("%d records in %v", n, time.Since(begun))
		p.endClean()
		wantEachVIPOnce(t, p, n)
	})
}

func TestKafkaAtTimestampBeginsAtTheRecord(t *testing.T) {
	onKafka(t, func(t *testing.T, e *env) {
		topic := e.NewTopic(t, 3)
		start := time.Now().Add(-time.Hour).Truncate(time.Second)
		for p := range 2 {
			e.ProduceN(t, topic, 2000, func(i int) *kgo.Record {
				return kafkatest.At(int32(p), &kgo.Record{Value: []byte("v"), Timestamp: start.Add(time.Duration(i-1000*p) * time.Second)})
			})
		}
		// Partition 0 has second 1500 at offset 1500, partition 1 ends before it, partition 2 is empty.
		p := e.run(t, from(e.mapping(topic), esm.AtTimestamp, start.Add(1500*time.Second)), nil)
		e.committed(t, topic, map[int32]int64{0: 2000, 1: 2000, 2: 0}, p)
		p.endClean()
		wantOffsets(t, offsets(topic, p), map[int32][]int64{0: span(1500, 2000)})
	})
}

func TestKafkaACommitWinsOverStartingPosition(t *testing.T) {
	onKafka(t, func(t *testing.T, e *env) {
		topic := e.NewTopic(t, 1)
		e.fill(t, topic, 0, 100)
		base := e.group
		for _, at := range []esm.StartingPosition{esm.TrimHorizon, esm.Latest, esm.AtTimestamp} {
			e.group = base + "-" + strings.ToLower(string(at))
			e.Commit(t, e.group, topic, map[int32]int64{0: 40})
			p := e.run(t, from(e.mapping(topic), at, time.Now().Add(-time.Minute)), nil)
			e.committed(t, topic, map[int32]int64{0: 100}, p)
			p.endClean()
			wantOffsets(t, offsets(topic, p), map[int32][]int64{0: span(40, 100)})
		}
	})
}

func TestKafkaLatestLosesAndReplaysNothing(t *testing.T) {
	onKafka(t, func(t *testing.T, e *env) {
		topic := e.NewTopic(t, 4)
		e.fillAll(t, topic, 4, 3)
		m := from(e.mapping(topic), esm.Latest, time.Time{})
		session := esm.WithSessionTimeout(1500 * time.Millisecond)
		a := e.run(t, m, nil, session).ready()
		b := e.run(t, m, nil, session)
		both(a, b)
		e.fill(t, topic, 0, 10)
		e.committed(t, topic, map[int32]int64{0: 13, 1: 3, 2: 3, 3: 3}, a, b)
		a.endClean()
		b.endClean()
		e.fill(t, topic, 2, 5)
		c := e.run(t, m, nil, session)
		e.committed(t, topic, map[int32]int64{0: 13, 1: 3, 2: 8, 3: 3}, c)
		c.endClean()
		wantOffsets(t, offsets(topic, a, b, c), map[int32][]int64{0: span(3, 13), 2: span(3, 8)})
	})
}

// The handler takes five times the max poll interval, and so does this test.
func TestKafkaAHandlerSlowerThanTheMaxPollInterval(t *testing.T) {
	onKafka(t, func(t *testing.T, e *env) {
		topic := e.NewTopic(t, 1)
		e.fill(t, topic, 0, 10)
		const interval = 6 * time.Second
		p := e.run(t, e.mapping(topic), func(ctx context.Context, _ esm.KafkaEvent) error {
			select {
			case <-time.After(5 * interval):
				return nil
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}, esm.WithMaxPollInterval(interval), esm.WithSessionTimeout(interval), esm.WithRevokeTimeout(interval/3))
		p.ready()
		e.committed(t, topic, map[int32]int64{0: 10}, p)
		if n := p.runner.Metrics().RebalanceCount; n != 1 {
			t.Errorf("%d changes of the assignment, want the first one alone", n)
		}
		p.endClean()
		wantOffsets(t, offsets(topic, p), map[int32][]int64{0: span(0, 10)})
	})
}

// The group has a member that knows only the eager protocol. The mapping reports that, and joins when that
// member has left.
func TestKafkaAGroupThatIsEager(t *testing.T) {
	onKafka(t, func(t *testing.T, e *env) {
		topic := e.NewTopic(t, 2)
		e.fillAll(t, topic, 2, 5)
		assigned := make(chan struct{}, 10)
		eager := e.Connect(t, kgo.ConsumerGroup(e.group), kgo.ConsumeTopics(topic), kgo.Balancers(kgo.RangeBalancer()),
			kgo.DisableAutoCommit(), kgo.OnPartitionsAssigned(func(context.Context, *kgo.Client, map[string][]int32) { assigned <- struct{}{} }))
		select {
		case <-assigned:
		case <-time.After(patience):
			t.Fatal("the eager member did not join")
		}
		p := e.run(t, e.mapping(topic), nil)
		p.until("the error", func() bool { return p.failed(driver.KindGroupProtocol) })
		if r := p.runner.Status().LastProcessingResult; !strings.Contains(r, "protocol") {
			t.Errorf("LastProcessingResult %q says nothing of the protocol", r)
		}
		eager.Close()
		e.committed(t, topic, map[int32]int64{0: 5, 1: 5}, p)
		p.endClean()
	})
}

// The only broker is killed and comes back within the session timeout, while both drivers read from it.
// librdkafka stays a member and repeats nothing. franz-go gives up its membership when no broker accepts a
// connection, and goes back to the commits once. Then the broker goes for good, and a stop does not wait for
// it.
func TestKafkaBrokerKilledAndRestarted(t *testing.T) {
	t.Parallel()
	c := kafkatest.Start(t)
	const n, partitions = 100_000, 4
	c.CreateTopic(t, "t", partitions)
	c.ProduceN(t, "t", n, func(i int) *kgo.Record {
		return kafkatest.At(int32(i%partitions), &kgo.Record{Value: fmt.Appendf(nil, "%d", i)})
	})
	envs, ps := map[string]*env{}, map[string]*process{}
	for name := range drivers {
		e := newEnv(c, name)
		m := e.mapping("t")
		m.BatchSize = 50
		envs[name] = e
		ps[name] = e.run(t, m, func(context.Context, esm.KafkaEvent) error {
			<-time.After(2 * time.Millisecond)
			return nil
		}, esm.WithSessionTimeout(patience))
	}
	for name, p := range ps {
		p.until("some records", func() bool { return p.count() > n/10 })
		if look(p, p.count) == n {
			t.Errorf("%s: the kill comes too late to show anything", name)
		}
	}
	c.Kill(t, 1)
	for name, p := range ps {
		p.until(name+" to notice", func() bool { return len(p.errs) > 0 })
	}
	c.Restart(t, 1)
	for i := range int32(partitions) {
		envs["franz"].fill(t, "t", i, 100)
	}
	ends := c.EndOffsets(t, "t")
	for name, p := range ps {
		envs[name].committed(t, "t", ends, p)
		allowed := 0
		if name == "franz" {
			allowed = 1
		}
		for partition, got := range offsets("t", p) {
			distinct := slices.Compact(slices.Sorted(slices.Values(got)))
			if !slices.Equal(distinct, span(0, ends[partition])) {
				t.Errorf("%s: partition %d: %s handled, want %d", name, partition, brief(distinct), ends[partition])
			}
			if n := breaks(got); n > allowed {
				t.Errorf("%s: partition %d goes back or on %d times, want %d at most: %d repeats", name, partition, n, allowed,
					len(got)-len(distinct))
			}
		}
	}
	c.Kill(t, 1)
	for name, p := range ps {
		begun := time.Now()
		err := p.end()
		// Everything was committed: what remains is leaving the group, which may take ten seconds.
		if took := time.Since(begun); took > 20*time.Second {
			t.Errorf("%s: Run took %v to return without a broker", name, took)
		}
		t.Logf("%s: Run without a broker: %v after %v", name, err, time.Since(begun))
		var stuck *esm.StuckError
		if err != nil && !errors.As(err, &stuck) {
			t.Errorf("%s: Run: %v, want nil or a *StuckError", name, err)
		}
	}
}

// breaks counts the places where offsets do not go up one by one.
func breaks(s []int64) int {
	n := 0
	for i := 1; i < len(s); i++ {
		if s[i] != s[i-1]+1 {
			n++
		}
	}
	return n
}

// Kafka's own tools produce, and read the group's commits.
func TestKafkaItsOwnToolsSeeTheCommits(t *testing.T) {
	c := brokers.Cluster(t)
	t.Parallel()
	const n = 50_000
	topic := c.NewTopic(t, 2)
	c.Tool(t, "org.apache.kafka.tools.ProducerPerformance", "--topic", topic, "--num-records", fmt.Sprint(n), "--record-size", "100",
		"--throughput", "-1", "--producer-props", "bootstrap.servers="+strings.Join(c.Bootstrap(), ","))
	for _, name := range slices.Sorted(maps.Keys(drivers)) {
		e := newEnv(c, name)
		p := e.run(t, e.mapping(topic), nil)
		p.until("all records", func() bool { return p.count() >= n })
		p.endClean()
		if got := look(p, p.count); got != n {
			t.Errorf("%s: handled %d records, want %d", name, got, n)
		}
		out := c.Tool(t, "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand", "--bootstrap-server",
			strings.Join(c.Bootstrap(), ","), "--describe", "--group", e.group)
		sum, rows := 0, 0
		for line := range strings.Lines(out) {
			f := strings.Fields(line)
			if len(f) < 6 || f[0] != e.group {
				continue
			}
			var at, lag int
			if _, err := fmt.Sscan(f[3], &at); err != nil {
				t.Errorf("%s: %q: %v", name, line, err)
			}
			if _, err := fmt.Sscan(f[5], &lag); err != nil || lag != 0 {
				t.Errorf("%s: lag %s, want 0 (%v)", name, f[5], err)
			}
			sum, rows = sum+at, rows+1
		}
		if rows != 2 || sum != n {
			t.Errorf("%s: the group's commits: %d in %d rows, want %d in 2:\n%s", name, sum, rows, n, out)
		}
	}
}
