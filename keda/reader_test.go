package keda

import (
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// TestPartitionsWithoutACommit: where the group has not read yet, StartingPosition determines the lag, by the
// engine's rules.
func TestPartitionsWithoutACommit(t *testing.T) {
	const engine = "esm/1 partitions=2"
	for _, c := range []struct {
		name, start string
		committed   int32 // on how many of the four partitions, at 30 of 100
		metadata    string
		lag         int64
		unplaced    int
		active      bool
	}{
		{"from the beginning", trimHorizon, 0, "", 400, 0, true},
		{"from the end, nobody there to say where that is", latest, 0, "", 0, 4, true},
		{"from the end, all placed", latest, 4, engine, 280, 0, true},
		{"from the end, two were added later", latest, 2, engine, 140 + 200, 0, true},
		{"from the end, one not placed yet, two added later", latest, 1, engine, 70 + 200, 1, true},
		{"from the end, beside commits of another client", latest, 1, "", 70 + 300, 0, true},
		{"from a time long ago", atTimestamp, 0, "", 400, 4, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, Options{}, kfake.SeedTopics(4, "t")).connect()
			r.produce("t", 4, 100)
			if c.committed > 0 {
				r.commit("g", "t", c.committed, 30, c.metadata)
			}
			extra := map[string]string{"startingPosition": c.start}
			if c.start == atTimestamp {
				extra["startingPositionTimestamp"] = "1000"
			}
			ref := r.ref(extra)
			if lag := r.lag(ref); lag != c.lag {
				t.Errorf("lag %d, want %d", lag, c.lag)
			}
			a := r.object(ref).now().answer
			if a.summary.unplaced != c.unplaced || a.active != c.active {
				t.Errorf("%d unplaced, active %v; want %d, %v", a.summary.unplaced, a.active, c.unplaced, c.active)
			}
		})
	}
}

// TestLatestIsPlacedAndQuiet: once the starts are committed there is nothing to do.
func TestLatestIsPlacedAndQuiet(t *testing.T) {
	r := newRig(t, Options{}, kfake.SeedTopics(2, "t")).connect()
	r.produce("t", 2, 50)
	ref := r.ref(map[string]string{"startingPosition": latest})
	if replicas, active := r.wanted(ref); replicas != 1 || !active {
		t.Fatalf("%d replicas, active %v: one must come and place the start", replicas, active)
	}
	r.commit("g", "t", 2, 50, "esm/1 partitions=2")
	r.next(ref)
	if replicas, active := r.wanted(ref); replicas != 0 || active {
		t.Errorf("%d replicas, active %v, after the start was placed", replicas, active)
	}
	if done := r.object(ref).now().answer.summary.done; done != 0 {
		t.Errorf("placing the start counts as %d records of work", done)
	}
}

func TestIsolationLevel(t *testing.T) {
	r := newRig(t, Options{}, kfake.SeedTopics(1, "t")).connect()
	r.produce("t", 1, 10)
	writer := r.newClient(kgo.TransactionalID("writer"))
	r.check(writer.BeginTransaction())
	for range 5 {
		r.check(writer.ProduceSync(r.context, &kgo.Record{Topic: "t", Value: []byte("x")}).FirstErr())
	}
	committed, uncommitted := r.ref(nil), r.ref(map[string]string{"isolationLevel": "read_uncommitted"})
	if lag := r.lag(committed); lag != 10 {
		t.Errorf("read_committed: lag %d, want 10: the rest is not stable", lag)
	}
	if lag := r.lag(uncommitted); lag != 15 {
		t.Errorf("read_uncommitted: lag %d, want 15", lag)
	}
	r.check(writer.EndTransaction(r.context, kgo.TryCommit))
	r.next(committed)
	if lag := r.lag(committed); lag != 16 { // with the marker
		t.Errorf("read_committed, ended: lag %d, want 16", lag)
	}
}

func TestTopicsComeAndGo(t *testing.T) {
	r := newRig(t, Options{}, kfake.SeedTopics(2, "orders.a", "other")).connect()
	r.produce("orders.a", 2, 10)
	ref := r.ref(map[string]string{"topics": "^orders[.], missing"})
	if lag := r.lag(ref); lag != 20 {
		t.Errorf("lag %d, want 20", lag)
	}
	r.check(r.kafka.CreateTopic("orders.b", 3, nil))
	r.produce("orders.b", 3, 10)
	r.next(ref)
	if lag := r.lag(ref); lag != 50 {
		t.Errorf("lag %d, want 50 with the new topic", lag)
	}
	r.check(r.kafka.DeleteTopic("orders.a"))
	r.next(ref)
	if lag := r.lag(ref); lag != 30 {
		t.Errorf("lag %d, want 30 without the deleted topic", lag)
	}
	none := r.ref(map[string]string{"topics": "typing-eror"})
	if _, err := r.metrics(none); status.Code(err) != codes.Unavailable || !strings.Contains(err.Error(), "typing-eror") {
		t.Errorf("a topic that does not exist: %v", err)
	}
}

// TestTopicMadeAgain: the old topic's commits say nothing about the recreated one, which is read from its
// beginning.
func TestTopicMadeAgain(t *testing.T) {
	for _, kept := range []bool{true, false} {
		r := newRig(t, Options{}, kfake.SeedTopics(1, "t")).connect()
		r.produce("t", 1, 100)
		r.commit("g", "t", 1, 100, "esm/1 partitions=1")
		ref := r.ref(map[string]string{"startingPosition": latest})
		if lag := r.lag(ref); lag != 0 {
			t.Fatalf("lag %d", lag)
		}
		r.check(r.kafka.DeleteTopic("t"))
		r.check(r.kafka.CreateTopic("t", 1, nil))
		again := r.newClient()
		var records []*kgo.Record
		for range 20 {
			records = append(records, &kgo.Record{Topic: "t", Value: []byte("x")})
		}
		r.check(again.ProduceSync(r.context, records...).FirstErr())
		if kept {
			r.commit("g", "t", 1, 100, "esm/1 partitions=1")
		}
		for range 2 {
			r.next(ref)
			if lag := r.lag(ref); lag != 20 {
				t.Errorf("commits kept %v: lag %d, want all 20", kept, lag)
			}
		}
		r.commit("g", "t", 1, 15, "esm/1 partitions=1")
		r.next(ref)
		if lag := r.lag(ref); lag != 5 {
			t.Errorf("commits kept %v: lag %d, want 5", kept, lag)
		}
	}
}

// TestRequestsOfAReading counts the requests to a cluster of three brokers.
func TestRequestsOfAReading(t *testing.T) {
	r := newRig(t, Options{}, kfake.NumBrokers(3), kfake.SeedTopics(100, "a", "b", "c")).connect()
	ref := r.ref(map[string]string{"topics": "a,b,c"})
	r.commit("g", "a", 100, 0, "")
	r.wanted(ref)
	r.next(ref)

	counted := map[string]*kfake.FaultHandle{}
	for _, key := range []kmsg.Key{kmsg.ListOffsets, kmsg.OffsetFetch, kmsg.DescribeGroups, kmsg.Metadata, kmsg.ConsumerGroupDescribe} {
		counted[key.Name()] = r.kafka.Fault(kfake.Fault{Keys: []kmsg.Key{key}, Observe: true, Count: -1})
	}
	const readings = 3
	for range readings { // within the minute in which the starts are known
		r.next(ref)
	}
	for name, most := range map[string]int{"ListOffsets": 3, "OffsetFetch": 1, "DescribeGroups": 1, "ConsumerGroupDescribe": 1, "Metadata": 2} {
		if hits := counted[name].Hits(); hits > most*readings {
			t.Errorf("%d %s requests for %d readings, want at most %d each", hits, name, readings, most)
		}
	}
	if hits := counted["ListOffsets"].Hits(); hits != 3*readings {
		t.Errorf("%d ListOffsets requests, want one a broker and reading", hits)
	}
}

// TestOnePartitionWithoutALeader: it does not keep the others from being read.
func TestOnePartitionWithoutALeader(t *testing.T) {
	r := newRig(t, Options{}, kfake.SeedTopics(3, "t")).connect()
	r.produce("t", 3, 10)
	ref := r.ref(nil)
	r.wanted(ref)
	fault := r.kafka.Fault(kfake.Fault{
		Keys: []kmsg.Key{kmsg.ListOffsets}, Topic: "t", Partitions: []int32{1}, Err: kerr.UnknownServerError, Count: -1,
	})
	r.produce("t", 3, 5)
	r.next(ref)
	a := r.object(ref).now().answer
	if a.summary.failed != 1 || a.summary.lag != 15+10+15 {
		t.Errorf("%d partitions failed and the lag is %d, want 1 and 40", a.summary.failed, a.summary.lag)
	}
	fault.Remove()
	r.next(ref)
	if lag := r.lag(ref); lag != 45 {
		t.Errorf("lag %d, want 45", lag)
	}
}

// TestMembersOfEitherProtocol reads the members and their partitions.
func TestMembersOfEitherProtocol(t *testing.T) {
	for _, c := range []struct {
		name string
		opts []kgo.Opt
	}{
		{"classic", nil},
		{"KIP-848", []kgo.Opt{kgo.ServerSideBalancer()}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, Options{}, kfake.SeedTopics(4, "t"),
				kfake.BrokerConfigs(map[string]string{"group.consumer.heartbeat.interval.ms": "50"})).connect()
			for range 2 {
				r.newClient(append(c.opts, kgo.ConsumerGroup("g"), kgo.ConsumeTopics("t"), kgo.DisableAutoCommit(),
					kgo.HeartbeatInterval(50*time.Millisecond), kgo.SessionTimeout(2*time.Second), kgo.RebalanceTimeout(5*time.Second))...)
			}
			if _, err := r.kafka.WaitGroupStable(r.context, "g", 2); err != nil {
				t.Fatal(err)
			}
			cfg, err := parse(r.ref(nil).GetScalerMetadata())
			r.check(err)
			reader := newReader(cfg)
			reader.use(r.newClient())
			// A cooperative rebalance has two rounds: the group settles eventually.
			for seen := map[topicPartition]bool{}; len(seen) < 4; {
				clear(seen)
				got, err := reader.read(r.context, epoch)
				r.check(err)
				for _, m := range got.members {
					for _, tp := range m.partitions {
						if got.settled && len(got.members) == 2 && len(m.partitions) == 2 {
							seen[tp] = true
						}
					}
				}
			}
			if reader.consumer != (len(c.opts) > 0) {
				t.Errorf("consumer is %v", reader.consumer)
			}
		})
	}
}

func TestInitialPartitions(t *testing.T) {
	for metadata, want := range map[string]int32{
		"esm/1 partitions=7": 7, "": 0, "x": 0, "esm/1 partitions=": 0, "esm/1 partitions=-3": 0, "esm/2 partitions=3": 0,
		"esm/1 partitions=99999999999": 0,
	} {
		if got := initialPartitions(metadata); got != want {
			t.Errorf("%q is %d, want %d", metadata, got, want)
		}
	}
}

// TestAuthorizationIsTold: a group that the scaler may not read is an error, not an empty group.
func TestAuthorizationIsTold(t *testing.T) {
	r := newRig(t, Options{}, kfake.SeedTopics(1, "t"))
	r.kafka.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetFetch}, Err: kerr.GroupAuthorizationFailed, Count: -1})
	_, err := r.metrics(r.ref(nil))
	if status.Code(err) != codes.Unavailable || !strings.Contains(err.Error(), "GROUP_AUTHORIZATION_FAILED") || !strings.Contains(err.Error(), "group g") {
		t.Errorf("the error is %v", err)
	}
}
