package run

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/esm-go/esm/destination"
	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/esmtest/membroker"
	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/internal/stop"
	"github.com/esm-go/esm/observe"
)

// A client is told of a partition's start before it is asked to commit it: for a recreated topic it would refuse the
// commit.
func TestStartBeforeItsCommit(t *testing.T) {
	inBubble(t, "a topic that is made again", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.Produce("t", numbered(5)...)
		d := &slowStarts{Driver: b.Driver()}
		r := newRig(t, b, defaults(), nil, WithDriver(d)).start()
		pass(3 * time.Second)
		for range 3 {
			b.RecreateTopic("t")
			b.Produce("t", numbered(3)...)
			pass(3 * time.Minute)
		}
		if n := d.early.Load(); n != 0 || b.Committed("g", "t", 0).Offset != 3 {
			t.Errorf("%d commits while a Start was on its way; committed %d", n, b.Committed("g", "t", 0).Offset)
		}
		r.mustStop()
	})
}

// slowStarts is a client whose Start takes a moment.
type slowStarts struct {
	driver.Driver
	starting atomic.Bool
	early    atomic.Int64
}

func (d *slowStarts) Open(cfg driver.Config, l driver.Listener) (driver.Consumer, error) {
	c, err := d.Driver.Open(cfg, l)
	return &slowStarting{c, d}, err
}

type slowStarting struct {
	driver.Consumer
	d *slowStarts
}

func (c *slowStarting) Start(starts []driver.Start) {
	c.d.starting.Store(true)
	time.Sleep(time.Millisecond)
	c.d.starting.Store(false)
	c.Consumer.Start(starts)
}

func (c *slowStarting) Commit(ctx context.Context, commits []driver.Commit) error {
	time.Sleep(time.Microsecond) // lets a concurrent Start begin
	if c.d.starting.Load() {
		c.d.early.Add(1)
	}
	return c.Consumer.Commit(ctx, commits)
}

// A client that fails for good while the mapping stops does not restart the stop: the handlers' deadline does not
// change.
func TestClientFailsInAStop(t *testing.T) {
	inBubble(t, "ten seconds into it", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.Produce("t", numbered(1)...)
		var ended time.Time
		r := newRig(t, b, defaults(), func(ctx context.Context, _ event.KafkaEvent) error {
			<-ctx.Done()
			ended = time.Now()
			return ctx.Err()
		}).start()
		pass(time.Second)
		_, handlers := stop.Bound(stop.DefaultTimeout)
		began := time.Now()
		r.cancel()
		pass(10 * time.Second)
		b.Fail(membroker.OpPoll, 1, &driver.Error{Kind: driver.KindFenced, Offset: -1, Err: errors.New("fenced")})
		b.Produce("t", numbered(1)...)
		err := <-r.done
		if d := ended.Sub(began); d != handlers {
			t.Errorf("the handler's context ended %v after the stop began, want %v", d, handlers)
		}
		if err == nil || errors.As(err, new(*observe.StuckError)) {
			t.Errorf("Run: %v, want what the client said", err)
		}
	})
}

// A client that replaces another while the mapping is paused is paused too.
func TestReplacedWhilePaused(t *testing.T) {
	inBubble(t, "beyond help", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 1)
		r := newMapped(t, b, memoryMapping(), nil).start()
		r.runner.Pause()
		pass(time.Second)
		first := b.Members("")[0].ID
		b.Fail(membroker.OpPoll, 1, &driver.Error{Kind: driver.KindUnavailable, Offset: -1, Err: fmt.Errorf("no broker answers: %w", driver.ErrReplace)})
		pass(10 * time.Minute)
		b.Produce("t", numbered(3)...)
		pass(time.Minute)
		if m := b.Members(""); len(m) != 1 || m[0].ID == first {
			t.Fatalf("members %+v, the first was %s", m, first)
		}
		if s := r.runner.Status(); len(r.events()) != 0 || s.State != observe.Disabled || s.Partitions[0].Paused == "" {
			t.Errorf("%d invocations, %s, %+v", len(r.events()), s.State, s.Partitions)
		}
		r.runner.Resume()
		pass(10 * time.Second)
		if k := b.Committed("", "t", 0).Offset; k != 3 {
			t.Errorf("committed %d after Resume", k)
		}
		r.mustStop()
	})
}

// Records that are given up while their partition is being revoked are left to its next owner: the revocation does not
// wait for a slow destination.
func TestGivenUpWhileThePartitionGoes(t *testing.T) {
	inBubble(t, "revoked while the handler runs", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.Produce("t", numbered(2)...)
		var sends atomic.Int64
		to := &scriptedDestination{answer: func(ctx context.Context, _ *destination.Failure) error {
			if sends.Add(1) == 1 {
				select {
				case <-ctx.Done():
				case <-time.After(time.Hour):
				}
			}
			return ctx.Err()
		}}
		mapping := memoryMapping()
		mapping.MaximumRetryAttempts = new(0)
		var revoked time.Time
		r := newMapped(t, b, mapping, func(context.Context, event.KafkaEvent) error { time.Sleep(3 * time.Second); return errors.New("no") },
			WithDestination(to), WithRevokeTimeout(20*time.Second), WithHooks(observe.Hooks{Revoked: func(observe.AssignmentInfo) {
				if revoked.IsZero() {
					revoked = time.Now()
				}
			}})).start()
		pass(time.Second)
		began := time.Now()
		b.Revoke()
		pass(10 * time.Second)
		if d := revoked.Sub(began); revoked.IsZero() || d > 4*time.Second {
			t.Errorf("the revocation took %v, the handler 2s more", d)
		}
		r.cancel()
		<-r.done
	})
}

// Failed batches are retried in turn, however many new records there are: the oldest goes first.
func TestRetriesHaveTheirTurn(t *testing.T) {
	inBubble(t, "one worker, one poison partition, and a backlog", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 2)
		b.Produce("t", membroker.Record{})
		s := defaults()
		s.BatchSize = 1
		tries := 0
		r := newRig(t, b, s, func(_ context.Context, e event.KafkaEvent) error {
			if len(e.Records["t-0"]) > 0 {
				tries++
				return errors.New("no")
			}
			time.Sleep(60 * time.Millisecond)
			return nil
		}, WithWorkers(1)).start()
		for range 60 * 20 { // more than the worker can handle
			b.Produce("t", membroker.Record{Partition: 1})
			pass(50 * time.Millisecond)
		}
		if lag := b.Lag("g"); tries < 4 || lag < 100 {
			t.Errorf("tried %d times, lag %d", tries, lag)
		}
		r.mustStop()
	})
}

// A mapping is ready when all partitions of its first assignment have started, not when some have.
func TestReadyWaitsForAllPartitions(t *testing.T) {
	inBubble(t, "the end of one log cannot be looked up", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 2)
		d := &tap{Driver: b.Driver(), listed: func(queries []driver.OffsetQuery, answers []driver.OffsetAnswer) {
			for i := range queries {
				if queries[i].Partition == 1 {
					answers[i].Err = &driver.Error{Kind: driver.KindUnavailable, TopicPartition: queries[i].TopicPartition, Offset: -1, Err: errors.New("no leader")}
				}
			}
		}}
		r := newRig(t, b, startingAt(driver.AtEnd), nil, WithDriver(d)).launch()
		pass(20 * time.Second)
		select {
		case <-r.runner.Ready():
			t.Error("ready with one partition of two")
		default:
		}
		b.Produce("t", membroker.Record{Partition: 0})
		pass(time.Second)
		if got := r.seen(0); got != "[0]" {
			t.Errorf("the other partition handled %s", got)
		}
		d.set(func(d *tap) { d.listed = nil })
		pass(20 * time.Second)
		select {
		case <-r.runner.Ready():
		default:
			t.Error("not ready with both")
		}
		r.mustStop()
	})
}

// No records of a partition that is being revoked are invoked, even while its revocation waits for a commit.
func TestNoInvocationOfWhatGoes(t *testing.T) {
	inBubble(t, "a batch fails while its partition goes, and a commit takes long", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 1)
		s := defaults()
		s.BatchSize = 1
		calls := 0
		r := newRig(t, b, s, func(_ context.Context, e event.KafkaEvent) error {
			if e.Records["t-0"][0].Offset == 0 {
				return nil
			}
			calls++
			time.Sleep(2 * time.Second)
			return errors.New("no")
		}, WithRevokeTimeout(20*time.Second)).start()
		release := b.Hang(membroker.OpCommit)
		b.Produce("t", numbered(2)...)
		pass(time.Second)
		if calls != 1 {
			t.Fatalf("%d calls", calls)
		}
		b.Revoke()
		pass(5500 * time.Millisecond) // the handler failed 4.5s ago, and the commit of the first record is still in flight
		if calls != 1 {
			t.Errorf("%d calls: a partition that goes was invoked again", calls)
		}
		release()
		pass(time.Second)
		r.mustStop()
	})
}
