package esmtest_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/esm-go/esm"
	"github.com/esm-go/esm/esmtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var errBoom = errors.New("boom")

// everywhere runs a test inside a bubble and outside one.
func everywhere(t *testing.T, name string, f func(t *testing.T)) {
	t.Helper()
	t.Run(name, f)
	t.Run(name+", in a bubble", func(t *testing.T) { synctest.Test(t, f) })
}

// journal is a testing.TB that records failures instead of failing.
type journal struct {
	testing.TB
	failures []string
	cleanups []func()
}

func (j *journal) Helper() {}

func (j *journal) Errorf(format string, args ...any) {
	j.failures = append(j.failures, fmt.Sprintf(format, args...))
}

func (j *journal) Fatalf(format string, args ...any) {
	j.Errorf(format, args...)
	panic(j)
}

func (j *journal) Cleanup(f func()) { j.cleanups = append(j.cleanups, f) }

// run calls f and then the cleanups, as a test does.
func (j *journal) run(f func(tb testing.TB)) []string {
	func() {
		defer func() {
			if v := recover(); v != nil && v != any(j) {
				panic(v)
			}
		}()
		f(j)
	}()
	for _, v := range slices.Backward(j.cleanups) {
		v()
	}
	return j.failures
}

func TestEvent(t *testing.T) {
	e := esmtest.Event("orders", esmtest.Record{Value: []byte("a")}, esmtest.Record{Partition: 2, Key: []byte("k")}, esmtest.Record{Value: []byte("b")})
	if e.Len() != 3 || e.EventSource != "SelfManagedKafka" || e.BootstrapServers == "" {
		t.Errorf("event %+v", e)
	}
	if r := e.Records["orders-0"]; len(r) != 2 || r[1].Offset != 1 || string(r[1].Value) != "b" || r[1].Topic != "orders" || r[1].Timestamp <= 0 {
		t.Errorf("orders-0 is %+v", r)
	}
	if r := e.Records["orders-2"]; len(r) != 1 || r[0].Offset != 0 || r[0].Partition != 2 || string(r[0].Key) != "k" || r[0].Value != nil {
		t.Errorf("orders-2 is %+v", r)
	}
}

func TestInvoke(t *testing.T) {
	failOn := func(value string, err error) esm.Handler {
		return func(_ context.Context, e esm.KafkaEvent) error {
			for _, r := range e.Records["topic-0"] {
				if string(r.Value) == value {
					return err
				}
			}
			return nil
		}
	}
	tp := esm.TopicPartition{Topic: "topic"}
	everywhere(t, "success is one batch", func(t *testing.T) {
		r := esmtest.Invoke(t, esm.Mapping{StartingPosition: esm.Latest, Enabled: new(false)}, failOn("", errBoom),
			append(esmtest.Values("a", "b", "c"), esmtest.Record{Partition: 1, Value: []byte("d")})...)
		if r.Err != nil || r.Attempts != 1 || r.Invocations[0].Event.Len() != 4 || r.Committed[tp] != 3 || r.Unresolved != 0 {
			t.Errorf("result %+v", r)
		}
	})
	everywhere(t, "retries, then drops", func(t *testing.T) {
		r := esmtest.Invoke(t, esm.Mapping{MaximumRetryAttempts: new(2)}, failOn("b", errBoom), esmtest.Values("a", "b")...)
		if !errors.Is(r.Err, errBoom) || r.Attempts != 3 || r.Invocations[2].Attempt != 3 || r.Committed[tp] != 2 || r.Unresolved != 0 {
			t.Errorf("result %+v", r)
		}
		if len(r.Dropped) != 1 || r.Dropped[0].Reason != esm.DropRetriesExhausted || len(r.Dropped[0].Records) != 2 || r.Metrics.DroppedEventCount != 2 {
			t.Errorf("dropped %+v", r.Dropped)
		}
	})
	everywhere(t, "a handler that never succeeds ends it", func(t *testing.T) {
		r := esmtest.Invoke(t, esm.Mapping{}, failOn("b", errBoom), esmtest.Values("a", "b")...)
		if !errors.Is(r.Err, errBoom) || r.Attempts != 20 || r.Committed[tp] != 0 || r.Unresolved != 2 || len(r.Dropped) != 0 {
			t.Errorf("result %+v", r)
		}
	})
	everywhere(t, "Throttled that never ends, too", func(t *testing.T) {
		r := esmtest.Invoke(t, esm.Mapping{MaximumRetryAttempts: new(1)}, failOn("a", esm.Throttled(errBoom)), esmtest.Values("a")...)
		if r.Attempts != 21 || r.Unresolved != 1 {
			t.Errorf("result %+v", r)
		}
	})
	everywhere(t, "bisect finds one of many", func(t *testing.T) {
		values := make([]string, 1000)
		for i := range values {
			values[i] = fmt.Sprint(i)
		}
		r := esmtest.Invoke(t, esm.Mapping{BatchSize: 1000, BisectBatchOnFunctionError: true, MaximumRetryAttempts: new(0)},
			failOn("777", errBoom), esmtest.Values(values...)...)
		if len(r.Dropped) != 1 || len(r.Dropped[0].Records) != 1 || r.Dropped[0].Records[0].Offset != 777 || r.Committed[tp] != 1000 {
			t.Errorf("result %+v", r.Dropped)
		}
	})
	everywhere(t, "what a filter takes out is resolved", func(t *testing.T) {
		m := esm.Mapping{FilterCriteria: &esm.FilterCriteria{Filters: []esm.Filter{{Pattern: `{"value":{"kind":["order"]}}`}}}}
		r := esmtest.Invoke(t, m, failOn("", nil), esmtest.Values(`{"kind":"note"}`, `{"kind":"note"}`)...)
		if r.Attempts != 0 || r.Committed[tp] != 2 || r.Metrics.FilteredOutEventCount != 2 {
			t.Errorf("result %+v", r)
		}
	})
	everywhere(t, "a panic is an error", func(t *testing.T) {
		r := esmtest.Invoke(t, esm.Mapping{MaximumRetryAttempts: new(0)}, func(context.Context, esm.KafkaEvent) error { panic("boom") }, esmtest.Values("a")...)
		if _, ok := errors.AsType[*esm.PanicError](r.Err); !ok || r.Attempts != 1 || len(r.Dropped) != 1 {
			t.Errorf("result %+v", r)
		}
	})
	t.Run("no records, no invocation", func(t *testing.T) {
		if r := esmtest.Invoke(t, esm.Mapping{}, failOn("", nil)); r.Attempts != 0 {
			t.Errorf("result %+v", r)
		}
	})
	t.Run("a mapping that is not valid fails the test", func(t *testing.T) {
		got := new(journal).run(func(tb testing.TB) {
			esmtest.Invoke(tb, esm.Mapping{BatchSize: 20_000}, failOn("", nil), esmtest.Values("a")...)
		})
		if len(got) != 1 || !strings.Contains(got[0], "BatchSize") {
			t.Errorf("failures %q", got)
		}
	})
}

func TestStart(t *testing.T) {
	everywhere(t, "it records what ends, and Expect waits for it", func(t *testing.T) {
		b := esmtest.NewBroker(t)
		b.CreateTopic("topic", 2)
		n := 0
		r := esmtest.Start(t, b, esm.Mapping{MaximumBatchingWindowInSeconds: new(0)}, func(context.Context, esm.KafkaEvent) error {
			if n++; n == 1 {
				return errBoom
			}
			return nil
		})
		<-r.Ready()
		if err := esmtest.ExpectExactly(r); err != nil {
			t.Error(err)
		}
		b.Produce("topic", esmtest.Values("a", "b")...)
		if err := esmtest.Expect(r, esmtest.Failed(errBoom), esmtest.All(esmtest.Succeeded(), esmtest.Delivered("topic-0", 0, 1))); err != nil {
			t.Error(err)
		}
		all := r.TakeAll()
		if len(all) != 2 || all[1].Attempt != 2 || all[1].Event.BootstrapServers == "" || all[0].Began.After(all[1].Began) {
			t.Errorf("invocations %+v", all)
		}
		b.Produce("topic", esmtest.Record{Partition: 1})
		if err := esmtest.ExpectExactly(r, esmtest.Delivered("topic-1", 0)); err != nil {
			t.Error(err)
		}
		if s := r.Runner().Status(); s.State != esm.Enabled {
			t.Errorf("status %+v", s)
		}
	})
	t.Run("Expect says what came instead", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b := esmtest.NewBroker(t)
			b.Produce("topic", esmtest.Values("a", "b")...)
			r := esmtest.Start(t, b, esm.Mapping{BatchSize: 1}, func(context.Context, esm.KafkaEvent) error { return nil })
			begin := time.Now()
			for _, err := range []error{
				esmtest.Expect(r, esmtest.Failed(nil)),
				esmtest.Expect(r, esmtest.Delivered("topic-0", 1), esmtest.Delivered("topic-0", 0)),
				esmtest.ExpectExactly(r, esmtest.Succeeded()),
				esmtest.ExpectExactly(r, esmtest.Succeeded(), esmtest.Failed(errBoom)),
				esmtest.ExpectExactly(r, esmtest.Succeeded(), esmtest.Succeeded(), esmtest.Succeeded()),
			} {
				if err == nil || !strings.Contains(err.Error(), "topic-0[1..1] attempt 1") {
					t.Errorf("Expect: %v", err)
				}
			}
			if d := time.Since(begin); d != 30*time.Second {
				t.Errorf("the three that had to wait took %v, want 10s each", d)
			}
		})
	})
	t.Run("Run's error fails the test at its end", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			got := new(journal).run(func(tb testing.TB) {
				b := esmtest.NewBroker(tb)
				b.CreateTopic("topic", 1)
				r := esmtest.Start(tb, b, esm.Mapping{}, func(context.Context, esm.KafkaEvent) error { return nil })
				<-r.Ready()
				b.Fail(esmtest.OpPoll, 1, errBoom)
				time.Sleep(time.Minute)
			})
			if len(got) != 1 || !strings.Contains(got[0], "boom") {
				t.Errorf("failures %q", got)
			}
		})
	})
	t.Run("New's error fails it at once", func(t *testing.T) {
		got := new(journal).run(func(tb testing.TB) {
			esmtest.Start(tb, esmtest.NewBroker(tb), esm.Mapping{}, nil)
			tb.Errorf("went on")
		})
		if len(got) != 1 || !strings.Contains(got[0], "handler") {
			t.Errorf("failures %q", got)
		}
	})
}
