package esm

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/esmtest/membroker"
	"github.com/esm-go/esm/internal/batch"
	"github.com/esm-go/esm/internal/start"
	"github.com/esm-go/esm/internal/verdict"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// rig runs the engine on an in-memory broker, inside a bubble.
type rig struct {
	t      testing.TB
	broker *membroker.Broker
	runner *Runner
	cancel context.CancelFunc
	done   chan error

	mu    sync.Mutex
	calls []KafkaEvent
	infos []Invocation
	at    []time.Time
}

// defaults are the settings of a mapping that sets nothing.
func defaults() *settings {
	return &settings{
		Limits: batch.Limits{BatchSize: 100, Window: defaultWindow, Payload: payloadLimit, Envelope: 100},
		Retry:  verdict.Policy{MaximumRetryAttempts: -1},
		Start:  start.Policy{At: driver.AtEarliest},
	}
}

// newRig makes a Runner on the broker that has not run yet. The handler's events are recorded before it is called.
func newRig(t testing.TB, b *membroker.Broker, s *settings, h Handler, opts ...Option) *rig {
	r := &rig{t: t, broker: b, done: make(chan error, 1)}
	o := newOptions(append([]Option{WithDriver(b.Driver()), WithLogger(slog.New(slog.DiscardHandler)), WithSeed(1)}, opts...))
	if err := o.err(); err != nil {
		t.Fatal(err)
	}
	record := func(ctx context.Context, e KafkaEvent) error {
		inv, _ := InvocationFromContext(ctx)
		r.mu.Lock()
		r.calls, r.infos, r.at = append(r.calls, e), append(r.infos, inv), append(r.at, time.Now())
		r.mu.Unlock()
		if h == nil {
			return nil
		}
		return h(ctx, e)
	}
	client := o.client
	client.BootstrapServers, client.GroupID, client.Topics, client.Logger = []string{"b:9092"}, "g", []string{"t"}, o.logger
	r.runner = newRunner(o, record, s, client, identity{uuid: "u", functionName: "f", bootstrap: "b:9092"})
	return r
}

func (r *rig) start() *rig {
	ctx, cancel := context.WithCancel(context.Background())
	r.cancel = cancel
	go func() { r.done <- r.runner.Run(ctx) }()
	<-r.runner.Ready()
	return r
}

// pass lets virtual time go by, and what it set off come to rest: what goroutines of the bubble wrote may be read then.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func (r *rig) stop() error {
	r.cancel()
	return <-r.done
}

func (r *rig) events() []KafkaEvent {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]KafkaEvent(nil), r.calls...)
}

func numbered(n int) []membroker.Record {
	records := make([]membroker.Record, n)
	for i := range records {
		records[i].Value = fmt.Appendf(nil, "v%d", i)
	}
	return records
}

func TestDeliversAndCommits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 1)
		b.Produce("t", numbered(250)...)
		r := newRig(t, b, defaults(), nil).start()
		pass(2 * time.Second)
		got := 0
		for _, e := range r.events() {
			for _, rec := range e.Records["t-0"] {
				if rec.Offset != int64(got) {
					t.Fatalf("offset %d came where %d was due", rec.Offset, got)
				}
				got++
			}
		}
		if got != 250 || len(r.events()) != 3 {
			t.Errorf("got %d records in %d batches, want 250 in 3", got, len(r.events()))
		}
		if c := b.Committed("g", "t", 0); c.Offset != 250 {
			t.Errorf("committed %d, want 250", c.Offset)
		}
		if s := r.runner.Status(); s.State != Enabled || s.LastProcessingResult != "OK" || s.SumOffsetLag != 0 {
			t.Errorf("status %+v", s)
		}
		if err := r.stop(); err != nil {
			t.Error(err)
		}
	})
}

func TestWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 2)
		s := defaults()
		s.Window = 3300 * time.Millisecond // at which nothing else wakes the loop
		r := newRig(t, b, s, nil).start()
		begin := time.Now()
		b.Produce("t", membroker.Record{Value: []byte("a")})
		pass(time.Second)
		b.Produce("t", membroker.Record{Partition: 1, Value: []byte("b")})
		pass(10 * time.Second)
		if len(r.events()) != 1 || r.events()[0].Len() != 2 {
			t.Fatalf("want one batch of both partitions, got %v", r.events())
		}
		if d := r.at[0].Sub(begin); d != s.Window {
			t.Errorf("the window of the first record was %v, want %v", d, s.Window)
		}
		if err := r.stop(); err != nil {
			t.Error(err)
		}
	})
}

func TestPoisonPartitionStopsAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 2)
		for i := range 20 {
			b.Produce("t", membroker.Record{Partition: int32(i % 2), Value: []byte{byte(i)}})
		}
		s := defaults()
		bad := errors.New("poison")
		r := newRig(t, b, s, func(_ context.Context, e KafkaEvent) error {
			for _, rec := range e.Records["t-0"] {
				if rec.Offset == 3 {
					return bad
				}
			}
			return nil
		}).start()
		pass(10 * time.Second)
		if c := b.Committed("g", "t", 1); c.Offset != 10 {
			t.Errorf("the healthy partition is committed at %d, want 10", c.Offset)
		}
		if c := b.Committed("g", "t", 0); c.Offset != 0 {
			t.Errorf("the poisoned partition is committed at %d, want 0", c.Offset)
		}
		st := r.runner.Status()
		if p := st.Partitions[0]; p.Attempts < 3 || !errors.Is(p.LastError, bad) || p.Position != 0 {
			t.Errorf("partition status %+v", p)
		}
		if err := r.stop(); err != nil {
			t.Error(err)
		}
	})
}
