package run

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/esm-go/esm/auth"
	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/esmtest/membroker"
	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/internal/condition"
	"github.com/esm-go/esm/mapping"
	"github.com/esm-go/esm/observe"
)

// kinds returns the current conditions in short form, worst first.
func kinds(s observe.Status) (all []string) {
	for _, c := range s.Conditions {
		all = append(all, string(c.Op)+" "+c.Kind+condition.Whereof(&c, " "))
	}
	return all
}

func wantKinds(t *testing.T, when string, s observe.Status, want ...string) {
	t.Helper()
	if got := kinds(s); !slices.Equal(got, want) {
		t.Errorf("%s: conditions %q, want %q", when, got, want)
	}
}

func unreadable(topic string, partition int32) *driver.Error {
	return &driver.Error{Kind: driver.KindOther, Offset: -1, TopicPartition: event.TopicPartition{Topic: topic, Partition: partition}, Err: errors.New("CRC mismatch at offset 7")}
}

func TestConditions(t *testing.T) {
	inBubble(t, "a missing topic stands beside another one that works, until it is made", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 1)
		m := memoryMapping()
		m.Topics = []string{"missing", "t"}
		var log logLines
		began := time.Now()
		r := newMapped(t, b, m, nil, log.option(), WithMetadataMaxAge(5*time.Second)).start()
		for range 10 {
			b.Produce("t", numbered(1)...)
			pass(30 * time.Second)
			s := r.runner.Status()
			wantKinds(t, "while it is missing", s, "poll unknown topic missing")
			if s.LastProcessingResult != condition.ResultConnection {
				t.Fatalf("LastProcessingResult %q", s.LastProcessingResult)
			}
			if c := s.Conditions[0]; c.Since.Before(began) || c.Since.After(began.Add(time.Second)) || c.Count < 1 || c.Err == nil {
				t.Errorf("%+v", c)
			}
			if p := s.Partitions[0]; p.Condition != nil {
				t.Errorf("the other topic's partition: %v", p)
			}
		}
		b.Rebalance("")
		pass(10 * time.Second)
		wantKinds(t, "after a rebalance", r.runner.Status(), "poll unknown topic missing")
		if n := len(log.with("a condition has begun")); n != 1 {
			t.Errorf("%d lines of its beginning", n)
		}
		if n := len(log.with("conditions persist")); n < 4 || n > 6 {
			t.Errorf("%d lines in five minutes between", n)
		}
		b.CreateTopic("missing", 1)
		pass(20 * time.Second)
		s := r.runner.Status()
		wantKinds(t, "when it is there", s)
		if s.LastProcessingResult != condition.ResultOK || len(s.Partitions) != 2 {
			t.Errorf("%q, %v", s.LastProcessingResult, s.Partitions)
		}
		ended := log.with("a condition has ended")
		if len(ended) != 1 || !strings.Contains(ended[0], "lasted=5m") || !strings.Contains(ended[0], "topic=missing") {
			t.Errorf("lines of its end: %q", ended)
		}
		r.mustStop()
	})
	inBubble(t, "a broker that is away stands in an idle mapping, until it answers", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 1)
		r := newMapped(t, b, memoryMapping(), nil).start()
		b.Stop()
		for range 5 {
			pass(time.Minute)
			if got := kinds(r.runner.Status()); !slices.Contains(got, "poll unavailable") {
				t.Errorf("conditions %q", got)
			}
		}
		b.Start()
		pass(time.Minute + 20*time.Second) // the ends are looked up every minute
		wantKinds(t, "when it is back", r.runner.Status())
		r.mustStop()
	})
	inBubble(t, "an unreadable partition stands in its PartitionStatus until it is read or goes; the others do not", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 2)
		r := newMapped(t, b, memoryMapping(), nil).start()
		b.Report("", unreadable("t", 1))
		b.Produce("t", membroker.Record{Partition: 0})
		pass(5 * time.Minute)
		s := r.runner.Status()
		wantKinds(t, "unreadable", s, "poll other t-1")
		if c := s.Partitions[1].Condition; c == nil || !strings.Contains(c.Err.Error(), "offset 7") || s.Partitions[0].Condition != nil {
			t.Errorf("%v", s.Partitions)
		}
		if !strings.Contains(s.LastProcessingResult, "CRC") || !strings.Contains(s.Partitions[1].String(), "CRC") {
			t.Errorf("%q; %v", s.LastProcessingResult, s.Partitions[1])
		}
		b.Produce("t", membroker.Record{Partition: 1})
		pass(time.Second)
		wantKinds(t, "read on", r.runner.Status())
		b.Report("", unreadable("t", 1))
		pass(time.Second)
		wantKinds(t, "again", r.runner.Status(), "poll other t-1")
		b.Lose()
		pass(5 * time.Second)
		wantKinds(t, "after a loss", r.runner.Status())
		r.mustStop()
	})
	inBubble(t, "a refused ACL stands until the topic is read", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 1)
		r := newMapped(t, b, memoryMapping(), nil).start()
		b.Report("", &driver.Error{Kind: driver.KindAuthorization, Offset: -1, TopicPartition: event.TopicPartition{Topic: "t", Partition: -1}, Err: errors.New("denied")},
			unreadable("t", 0))
		pass(5 * time.Minute)
		s := r.runner.Status()
		wantKinds(t, "worst first", s, "poll authorization t", "poll other t-0")
		if s.LastProcessingResult != "PROBLEM: "+auth.TextClusterAuthorize || s.Partitions[0].Condition.Kind != "authorization" {
			t.Errorf("%q, %v", s.LastProcessingResult, s.Partitions[0])
		}
		b.Produce("t", numbered(1)...)
		pass(time.Second)
		wantKinds(t, "when it is read", r.runner.Status())
		r.mustStop()
	})
	inBubble(t, "commits and starts that fail, while they are needed", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 1)
		b.Fail(membroker.OpCommitted, 1000, errors.New("no coordinator"))
		r := newMapped(t, b, memoryMapping(), nil).launch()
		pass(2 * time.Minute)
		s := r.runner.Status()
		wantKinds(t, "a start that cannot be looked up", s, "start other")
		if s.Conditions[0].Count < 10 || s.State != observe.Creating {
			t.Errorf("%s, %+v", s.State, s.Conditions[0])
		}
		b.Heal()
		pass(10 * time.Second)
		wantKinds(t, "looked up", r.runner.Status())
		b.Fail(membroker.OpCommit, 1000, errors.New("no"))
		b.Produce("t", numbered(1)...)
		pass(time.Minute)
		wantKinds(t, "a commit that is refused", r.runner.Status(), "commit other")
		b.Heal()
		pass(10 * time.Second)
		wantKinds(t, "accepted", r.runner.Status())
		r.mustStop()
	})
	inBubble(t, "secrets that cannot be read", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 1)
		m := memoryMapping()
		m.SourceAccessConfigurations = []mapping.SourceAccessConfiguration{{Type: auth.SASLSCRAM512Auth, URI: "login"}}
		secrets := &failingSecrets{err: &retryable{}}
		r := newMapped(t, b, m, nil, WithSecrets(secrets)).launch()
		pass(5 * time.Minute)
		s := r.runner.Status()
		if len(s.Conditions) != 1 || s.Conditions[0].Op != observe.OpCredentials || s.LastProcessingResult != s.Conditions[0].LastProcessingResult {
			t.Errorf("conditions %v, %q", s.Conditions, s.LastProcessingResult)
		}
		secrets.set(nil)
		pass(2 * time.Minute)
		wantKinds(t, "read", r.runner.Status())
		r.mustStop()
	})
	inBubble(t, "memory that stays full, and an open circuit, which are not the source's", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 2)
		big := make([]byte, 256<<10)
		for i := range 20 {
			b.Produce("t", membroker.Record{Partition: int32(i % 2), Value: big})
		}
		release := make(chan struct{})
		r := newMapped(t, b, memoryMapping(), func(context.Context, event.KafkaEvent) error { <-release; return errors.New("no") },
			WithBufferBytes(1<<20), WithCircuitBreaker(Breaker{Failures: 2, Cooldown: 5 * time.Minute})).start()
		pass(50 * time.Second)
		wantKinds(t, "not for long yet", r.runner.Status())
		pass(30 * time.Second)
		wantKinds(t, "full", r.runner.Status(), "buffer memory full")
		close(release)
		pass(10 * time.Second)
		s := r.runner.Status()
		if got := kinds(s); !slices.Contains(got, "invoke circuit open") || s.LastProcessingResult != condition.ResultFunctionFailed {
			t.Errorf("conditions %q, %q", got, s.LastProcessingResult)
		}
		r.mustStop()
	})
}

// retryable is a temporary error of a secret store.
type retryable struct{}

func (*retryable) Error() string   { return "the store does not answer" }
func (*retryable) Timeout() bool   { return true }
func (*retryable) Temporary() bool { return true }

type failingSecrets struct {
	mu  sync.Mutex
	err error
}

func (f *failingSecrets) set(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.err = err
}

func (f *failingSecrets) Secret(context.Context, string) ([]byte, string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return []byte(`{"username":"u","password":"p"}`), "1", f.err
}

// One commit can carry the position of a running partition and the start of another one. If both are refused, they are
// two conditions, and each ends when its own partition recovers.
func TestConditionsOfAMixedCommitEnd(t *testing.T) {
	inBubble(t, "a start and a position refused at once", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 1)
		r := newRig(t, b, defaults(), nil, WithMetadataMaxAge(5*time.Second)).start()
		pass(10 * time.Second)
		release := b.Hang(membroker.OpCommit)
		b.Produce("t", numbered(1)...)
		pass(time.Second)
		b.CreateTopic("t", 2)
		b.Produce("t", numbered(1)...)
		refused := func(partition int32) *driver.Error {
			return &driver.Error{Kind: driver.KindStaleMember, TopicPartition: event.TopicPartition{Topic: "t", Partition: partition}, Offset: -1, Err: errors.New("script")}
		}
		both := &driver.CommitError{Partitions: map[event.TopicPartition]*driver.Error{refused(0).TopicPartition: refused(0), refused(1).TopicPartition: refused(1)}}
		b.Fail(membroker.OpCommit, 1, &driver.Error{Kind: driver.KindUnavailable, Offset: -1, Err: errors.New("script")})
		b.Fail(membroker.OpCommit, 1, both)
		pass(7 * time.Second) // the group notices the new partition
		release()
		var ops []observe.Op
		for range 100 {
			pass(10 * time.Millisecond)
			for _, c := range r.runner.Status().Conditions {
				if c.Kind == driver.KindStaleMember.String() && !slices.Contains(ops, c.Op) {
					ops = append(ops, c.Op)
				}
			}
		}
		slices.Sort(ops)
		if !slices.Equal(ops, []observe.Op{observe.OpCommit, observe.OpStart}) {
			t.Errorf("refused were %v", ops)
		}
		pass(time.Minute)
		if st := r.runner.Status(); len(st.Conditions) > 0 || st.SumOffsetLag != 0 {
			t.Errorf("it is not well again: %v", st.Conditions)
		}
		r.mustStop()
	})
}

// The condition of a failed check of topic ids ends when the member has no partition left.
func TestFailedCheckEndsWithTheLastPartition(t *testing.T) {
	inBubble(t, "the topic goes", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 1)
		d := &tap{Driver: b.Driver()}
		m := memoryMapping()
		m.Topics = []string{"^t$"}
		r := newMapped(t, b, m, nil, WithDriver(d), WithMetadataMaxAge(5*time.Second)).start()
		pass(10 * time.Second)
		var gone atomic.Bool
		d.set(func(d *tap) {
			d.topics = func([]driver.Topic) error {
				if gone.Load() {
					return nil
				}
				return &driver.Error{Kind: driver.KindUnavailable, Offset: -1, Err: errors.New("script")}
			}
		})
		for range 600 {
			if pass(100 * time.Millisecond); len(r.runner.Status().Conditions) > 0 {
				break
			}
		}
		if n := len(r.runner.Status().Conditions); n != 1 {
			t.Errorf("%d conditions", n)
		}
		b.DeleteTopic("t")
		pass(time.Minute)
		gone.Store(true)
		pass(time.Minute)
		if st := r.runner.Status(); len(st.Conditions) > 0 {
			t.Errorf("it stands: %v", st.Conditions)
		}
		r.mustStop()
	})
}
