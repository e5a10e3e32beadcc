package run

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/esmtest/membroker"
	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/internal/condition"
	"github.com/esm-go/esm/internal/shared"
	"github.com/esm-go/esm/mapping"
	"github.com/esm-go/esm/observe"
)

func TestHooks(t *testing.T) {
	inBubble(t, "each is told what happened", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 1)
		var lines []string
		note := func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }
		s := defaults()
		s.Retry.MaximumRetryAttempts = 1
		bad := errors.New("bad")
		r := newRig(t, b, s, func(ctx context.Context, _ event.KafkaEvent) error {
			time.Sleep(3 * time.Second)
			return bad
		}, WithRetryBackoff(time.Second, time.Second), WithHooks(observe.Hooks{
			BatchBegin: func(ctx context.Context, i observe.BatchInfo) {
				inv, _ := event.InvocationFromContext(ctx)
				note("begin %d of %v attempt %d %t", i.Records, i.Partitions, i.Attempt, inv.ID == i.Invocation && inv.Bytes == i.Bytes)
			},
			BatchEnd: func(_ context.Context, i observe.BatchEndInfo) { note("end after %v: %v", i.Duration, i.Err) },
			Retry: func(i observe.RetryInfo) {
				note("retry %s %d..%d, %d records, %d attempts, %d failures, in time %t: %v", i.TopicPartition, i.First, i.Last,
					i.Records, i.Attempts, i.Failures, i.After >= time.Second/2 && i.After <= time.Second, i.Err)
			},
			Drop: func(i observe.DropInfo) {
				note("drop %s%s %s after %d: %v", i.TopicPartition, briefRecords(i.Records), i.Reason, i.Attempts, i.Err)
			},
			Commit:   func(i observe.CommitInfo) { note("commit %v %v", i.Offsets, i.Err) },
			Assigned: func(i observe.AssignmentInfo) { note("assigned %v", i.Partitions) },
			Revoked:  func(i observe.AssignmentInfo) { note("revoked %v", i.Partitions) },
			Error:    func(i observe.ErrorInfo) { note("error %s %s", i.Op, i.LastProcessingResult) },
		})).start()
		b.Produce("t", numbered(2)...)
		pass(20 * time.Second)
		b.Report("g", &driver.Error{Kind: driver.KindUnavailable, Offset: -1, Err: errors.New("gone")})
		pass(2 * time.Second)
		r.mustStop()
		wantLines(t, "hooks", lines,
			"assigned [t-0]", "commit map[t-0:0] <nil>",
			"begin 2 of map[t-0:{0 1}] attempt 1 true", "end after 3s: bad",
			"retry t-0 0..1, 2 records, 1 attempts, 1 failures, in time true: bad",
			"begin 2 of map[t-0:{0 1}] attempt 2 true", "end after 3s: bad",
			"drop t-0[0 1] RetryAttemptsExhausted after 2: bad",
			"commit map[t-0:2] <nil>",
			"error poll "+condition.ResultConnection,
			"revoked [t-0]")
	})
	inBubble(t, "several Hooks and middleware, in order", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.Produce("t", numbered(1)...)
		var lines []string
		wrap := func(name string) func(shared.Handler) shared.Handler {
			return func(next shared.Handler) shared.Handler {
				return func(ctx context.Context, e event.KafkaEvent) error {
					lines = append(lines, name)
					return next(ctx, e)
				}
			}
		}
		hook := func(name string) Option {
			return WithHooks(observe.Hooks{BatchEnd: func(context.Context, observe.BatchEndInfo) { lines = append(lines, name) }})
		}
		r := newRig(t, b, defaults(), nil, hook("first hook"), WithMiddleware(wrap("outer"), wrap("inner")), hook("second hook")).start()
		pass(2 * time.Second)
		r.mustStop()
		wantLines(t, "calls", lines, "outer", "inner", "first hook", "second hook")
	})
}

// goroutine returns the name of the current goroutine.
func goroutine() string {
	stack := make([]byte, 64)
	name, _, _ := bytes.Cut(stack[:runtime.Stack(stack, false)], []byte(" ["))
	return string(name)
}

// As documented at Hooks: those of a batch run on the invocation's goroutine, all others one at a time on one
// goroutine.
func TestHookGoroutines(t *testing.T) {
	inBubble(t, "as documented", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.Produce("t", numbered(6)...)
		var mu sync.Mutex
		loop := make(map[string][]string) // by goroutine
		on := func(hook string) {
			mu.Lock()
			defer mu.Unlock()
			loop[goroutine()] = append(loop[goroutine()], hook)
		}
		var invocations []string
		states := make(map[observe.State]string)
		m := memoryMapping()
		m.MaximumRetryAttempts = new(1)
		m.FilterCriteria = &mapping.FilterCriteria{Filters: []mapping.Filter{{Pattern: `{"value":[{"anything-but":["v1"]}]}`}}}
		r := newMapped(t, b, m, func(context.Context, event.KafkaEvent) error {
			mu.Lock()
			defer mu.Unlock()
			invocations = append(invocations, "handler "+goroutine())
			return errors.New("no")
		}, WithHooks(observe.Hooks{
			BatchBegin: func(context.Context, observe.BatchInfo) {
				mu.Lock()
				defer mu.Unlock()
				invocations = append(invocations, "begin "+goroutine())
			},
			BatchEnd: func(context.Context, observe.BatchEndInfo) {
				mu.Lock()
				defer mu.Unlock()
				invocations = append(invocations, "end "+goroutine())
			},
			Retry:       func(observe.RetryInfo) { on("retry") },
			Drop:        func(observe.DropInfo) { on("drop") },
			Filtered:    func(observe.FilteredInfo) { on("filtered") },
			Commit:      func(observe.CommitInfo) { on("commit") },
			Assigned:    func(observe.AssignmentInfo) { on("assigned") },
			Revoked:     func(observe.AssignmentInfo) { on("revoked") },
			Lost:        func(observe.AssignmentInfo) { on("lost") },
			OffsetsLost: func(observe.OffsetsLostInfo) { on("offsets lost") },
			Error:       func(observe.ErrorInfo) { on("error") },
			StateChange: func(i observe.StateInfo) {
				mu.Lock()
				defer mu.Unlock()
				states[i.To] = goroutine()
			},
		})).start()
		r.runner.Pause()
		r.runner.Resume()
		pass(time.Minute)
		b.Truncate("t", 0, 2)
		pass(time.Minute)
		b.Report("", &driver.Error{Kind: driver.KindUnavailable, Offset: -1, Err: errors.New("gone")})
		pass(time.Minute)
		b.Lose()
		pass(time.Minute)
		r.mustStop()
		mu.Lock()
		defer mu.Unlock()
		for to, on := range states {
			if len(loop[on]) == 0 {
				t.Errorf("the change to %s was told on %s, the others on %v", to, on, loop)
			}
		}
		if len(loop) != 1 || len(states) < 4 {
			t.Errorf("hooks ran on %d goroutines: %v; states %v", len(loop), loop, states)
		}
		for _, calls := range loop {
			all := strings.Join(calls, ",") + ","
			for _, hook := range []string{"retry", "drop", "filtered", "commit", "assigned", "revoked", "lost", "offsets lost", "error"} {
				if !strings.Contains(all, hook+",") {
					t.Errorf("%s was not called: %s", hook, all)
				}
			}
		}
		if len(invocations) == 0 || len(invocations)%3 != 0 {
			t.Fatalf("invocations: %v", invocations)
		}
		for i := 0; i < len(invocations); i += 3 {
			var names [3]string
			for k, want := range []string{"begin ", "handler ", "end "} {
				names[k] = strings.TrimPrefix(invocations[i+k], want)
			}
			if names[0] != names[1] || names[1] != names[2] || len(loop[names[0]]) > 0 {
				t.Errorf("an invocation: %v", invocations[i:i+3])
			}
		}
	})
}

// Invocations that follow each other run on a goroutine that is kept.
func TestInvocationsReuseGoroutines(t *testing.T) {
	inBubble(t, "", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 1)
		ran := make(map[string]int)
		r := newRig(t, b, defaults(), func(context.Context, event.KafkaEvent) error {
			ran[goroutine()]++
			return nil
		}).start()
		for range 20 {
			b.Produce("t", membroker.Record{})
			pass(time.Second)
		}
		r.mustStop()
		if len(ran) != 1 || len(r.events()) != 20 {
			t.Errorf("%d invocations ran on these goroutines: %v, want 20 on one", len(r.events()), ran)
		}
	})
}
