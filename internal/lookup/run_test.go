package lookup

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/esmtest/membroker"
	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/internal/partition"
	"github.com/esm-go/esm/internal/start"
	"github.com/esm-go/esm/internal/stop"
	"github.com/esm-go/esm/observe"
)

// nobody is a Listener that does nothing.
type nobody struct{}

func (nobody) Assigned([]event.TopicPartition) {}
func (nobody) Revoked([]event.TopicPartition)  {}
func (nobody) Lost([]event.TopicPartition)     {}

// ran runs f beside four lookup goroutines in a bubble, on a broker with a topic of eight partitions, and ends them afterwards.
func ran(t *testing.T, f func(t *testing.T, b *membroker.Broker, l *Lookups, calls *stop.Calls)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 8)
		consumer, err := b.Driver().Open(driver.Config{BootstrapServers: []string{"b:9092"}, GroupID: "g", Topics: []string{"t"}}, nobody{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := consumer.Close(context.Background()); err != nil {
				t.Error(err)
			}
		})
		l := prepared(0)
		asker := &start.Asker{Consumer: consumer, Census: new(start.Census), Fingerprint: func() string { return "" }}
		var calls stop.Calls
		var running sync.WaitGroup
		closed := make(chan struct{})
		for range AtOnce {
			running.Go(func() { l.Run(context.Background(), asker, &calls, closed) })
		}
		f(t, b, l, &calls)
		close(closed)
		running.Wait()
		if n := len(calls.UnderWay()); n != 0 {
			t.Errorf("%d calls are under way when all goroutines have ended", n)
		}
	})
}

// A lookup asks the broker, and its answer says where the partition starts.
func TestRunAnswers(t *testing.T) {
	ran(t, func(t *testing.T, b *membroker.Broker, l *Lookups, _ *stop.Calls) {
		b.SetCommitted("g", "t", 3, 12, "")
		p := living(3, partition.Starting)
		l.Add(question(start.Begin, p))
		l.Advance(time.Now(), start.Policy{At: driver.AtEarliest}, "", nil)
		one := <-l.Answers
		o := l.Take(&one)
		if len(o.Found) != 1 || o.Found[0].Of != p || o.Found[0].Found.Offset != 12 || o.Failure != nil {
			t.Errorf("found %+v: %v", o.Found, o.Failure)
		}
	})
}

// A broker that does not answer delays only lookups of its partitions, by at most 15 s.
func TestRunIsBounded(t *testing.T) {
	ran(t, func(t *testing.T, b *membroker.Broker, l *Lookups, calls *stop.Calls) {
		release := b.Hang(membroker.OpTopics)
		defer release()
		begun := time.Now()
		parts := list(4)
		l.Add(question(start.IDs, parts[0]))
		l.Add(question(start.IDs, parts[1]))
		l.Advance(begun, start.Policy{}, "", nil)
		synctest.Wait()
		under := calls.UnderWay()
		if len(under) != 2 || under[0].Op != observe.OpStart || !under[0].Since.Equal(begun) {
			t.Errorf("under way: %+v", under)
		}
		l.Add(question(start.Move, parts[2])) // it asks for no topic
		l.Advance(begun, start.Policy{}, "", nil)
		one := <-l.Answers
		if o := l.Take(&one); time.Since(begun) != 0 || one.Kind != start.Move || len(o.Found) != 1 || o.Failure != nil {
			t.Errorf("after %v the answer is %+v", time.Since(begun), one.Question)
		}
		for range 2 {
			one := <-l.Answers
			if took := time.Since(begun); took != 15*time.Second || one.Kind != start.IDs || !errors.Is(one.Err, context.DeadlineExceeded) {
				t.Errorf("after %v the answer is %+v", took, one.Question)
			}
			if o := l.Take(&one); !errors.Is(o.Failure, context.DeadlineExceeded) {
				t.Errorf("it means %+v", o)
			}
		}
	})
}

// The goroutines end when closed is closed, even with answers that nothing receives.
func TestRunEnds(t *testing.T) {
	ran(t, func(_ *testing.T, _ *membroker.Broker, l *Lookups, _ *stop.Calls) {
		for _, p := range list(AtOnce) {
			l.Add(question(start.IDs, p))
		}
		l.Advance(time.Now(), start.Policy{}, "", nil)
		synctest.Wait()
	})
}
