package run

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/esm-go/esm/esmtest/membroker"
	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/internal/verdict"
	"github.com/esm-go/esm/observe"
)

// brief formats an event as its partitions and offsets: "t-0[1 2] t-1[0]".
func brief(e event.KafkaEvent) string {
	var keys []string
	for key := range e.Records {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	for i, key := range keys {
		keys[i] += briefRecords(e.Records[key])
	}
	return strings.Join(keys, " ")
}

func briefRecords(records []event.KafkaRecord) string {
	offsets := make([]int64, len(records))
	for i := range records {
		offsets[i] = records[i].Offset
	}
	return fmt.Sprint(offsets)
}

// has reports whether an event contains an offset of partition 0 of t.
func has(e event.KafkaEvent, offset int64) bool {
	return slices.ContainsFunc(e.Records["t-0"], func(r event.KafkaRecord) bool { return r.Offset == offset })
}

// dropsInto returns a hook that records drops: "t-0[1 2] RetryAttemptsExhausted after 3".
func dropsInto(s *[]string) Option {
	return WithHooks(observe.Hooks{Drop: func(i observe.DropInfo) {
		*s = append(*s, fmt.Sprintf("%s%s %s after %d", i.TopicPartition, briefRecords(i.Records), i.Reason, i.Attempts))
	}})
}

func wantLines(t testing.TB, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s:\n  %s\nwant:\n  %s", what, strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

func TestRetryRules(t *testing.T) {
	boom := errors.New("boom")
	item := func(offsets ...int64) error {
		var ids []event.ItemID
		for _, o := range offsets {
			ids = append(ids, event.ItemID{Partition: "t-0", Offset: o})
		}
		return itemFailures(ids...)
	}
	never := verdict.Policy{MaximumRetryAttempts: -1}
	partial := verdict.Policy{MaximumRetryAttempts: -1, Partial: true}
	limited := func(n int) verdict.Policy { return verdict.Policy{MaximumRetryAttempts: n} }
	poison := func(offset int64, err error) func(int, event.KafkaEvent) error {
		return func(_ int, e event.KafkaEvent) error {
			if has(e, offset) {
				return err
			}
			return nil
		}
	}
	// until fails the first n calls.
	until := func(n int, err error) func(int, event.KafkaEvent) error {
		return func(call int, _ event.KafkaEvent) error {
			if call <= n {
				return err
			}
			return nil
		}
	}
	for _, c := range []struct {
		name      string
		policy    verdict.Policy
		handler   func(call int, e event.KafkaEvent) error
		calls     []string
		drops     []string
		committed int64
	}{
		{name: "success", policy: never, handler: until(0, nil), calls: []string{"t-0[0 1 2 3]"}, committed: 4},
		{name: "until it succeeds", policy: never, handler: until(3, boom),
			calls: []string{"t-0[0 1 2 3]", "t-0[0 1 2 3]", "t-0[0 1 2 3]", "t-0[0 1 2 3]"}, committed: 4},
		{name: "MaximumRetryAttempts 0 is one invocation", policy: limited(0), handler: poison(1, boom),
			calls: []string{"t-0[0 1 2 3]"}, drops: []string{"t-0[0 1 2 3] RetryAttemptsExhausted after 1"}, committed: 4},
		{name: "MaximumRetryAttempts 2 is three invocations", policy: limited(2), handler: poison(1, boom),
			calls: []string{"t-0[0 1 2 3]", "t-0[0 1 2 3]", "t-0[0 1 2 3]"},
			drops: []string{"t-0[0 1 2 3] RetryAttemptsExhausted after 3"}, committed: 4},
		{name: "the last attempt may succeed", policy: limited(2), handler: until(2, boom),
			calls: []string{"t-0[0 1 2 3]", "t-0[0 1 2 3]", "t-0[0 1 2 3]"}, committed: 4},
		{name: "Permanent drops at once", policy: never, handler: poison(0, verdict.Permanent(boom)),
			calls: []string{"t-0[0 1 2 3]"}, drops: []string{"t-0[0 1 2 3] PermanentError after 1"}, committed: 4},
		{name: "Permanent does not bisect", policy: verdict.Policy{MaximumRetryAttempts: -1, Bisect: true}, handler: poison(0, verdict.Permanent(boom)),
			calls: []string{"t-0[0 1 2 3]"}, drops: []string{"t-0[0 1 2 3] PermanentError after 1"}, committed: 4},
		{name: "Throttled uses no attempt", policy: limited(1), handler: until(5, verdict.Throttled(boom)),
			calls: slices.Repeat([]string{"t-0[0 1 2 3]"}, 6), committed: 4},
		{name: "Throttled does not bisect", policy: verdict.Policy{MaximumRetryAttempts: 0, Bisect: true}, handler: until(1, verdict.Throttled(boom)),
			calls: slices.Repeat([]string{"t-0[0 1 2 3]"}, 2), committed: 4},
		{name: "bisect isolates, first half first, and splitting uses no attempt", policy: verdict.Policy{MaximumRetryAttempts: 1, Bisect: true}, handler: poison(2, boom),
			calls: []string{"t-0[0 1 2 3]", "t-0[0 1]", "t-0[2 3]", "t-0[2]", "t-0[2]", "t-0[3]"},
			drops: []string{"t-0[2] RetryAttemptsExhausted after 2"}, committed: 4},
		{name: "bisect with MaximumRetryAttempts 0", policy: verdict.Policy{MaximumRetryAttempts: 0, Bisect: true}, handler: poison(0, boom),
			calls: []string{"t-0[0 1 2 3]", "t-0[0 1]", "t-0[0]", "t-0[1]", "t-0[2 3]"},
			drops: []string{"t-0[0] RetryAttemptsExhausted after 1"}, committed: 4},
		{name: "partial: the reported items are tried alone", policy: partial,
			handler: func(call int, _ event.KafkaEvent) error {
				switch call {
				case 1:
					return fmt.Errorf("some: %w", item(3, 1, 1))
				case 2:
					return item(3)
				}
				return nil
			}, calls: []string{"t-0[0 1 2 3]", "t-0[1 3]", "t-0[3]"}, committed: 4},
		{name: "partial: an unknown item fails the whole batch", policy: partial,
			handler: func(call int, _ event.KafkaEvent) error {
				if call == 1 {
					return item(1, 99)
				}
				return nil
			}, calls: []string{"t-0[0 1 2 3]", "t-0[0 1 2 3]"}, committed: 4},
		{name: "partial: an unknown partition fails the whole batch", policy: partial,
			handler: until(1, itemFailures(event.ItemID{Partition: "u-0", Offset: 1})),
			calls:   []string{"t-0[0 1 2 3]", "t-0[0 1 2 3]"}, committed: 4},
		{name: "partial, not asked for: the whole batch", policy: never, handler: until(1, item(1)),
			calls: []string{"t-0[0 1 2 3]", "t-0[0 1 2 3]"}, committed: 4},
		{name: "partial: attempts count", policy: verdict.Policy{MaximumRetryAttempts: 1, Partial: true},
			handler: func(_ int, e event.KafkaEvent) error {
				if has(e, 1) {
					return item(1)
				}
				return nil
			}, calls: []string{"t-0[0 1 2 3]", "t-0[1]"}, drops: []string{"t-0[1] RetryAttemptsExhausted after 2"}, committed: 4},
		{name: "partial with bisect: reported items are not halved", policy: verdict.Policy{MaximumRetryAttempts: -1, Partial: true, Bisect: true},
			handler: func(call int, _ event.KafkaEvent) error {
				if call == 1 {
					return item(0, 1, 2)
				}
				return nil
			}, calls: []string{"t-0[0 1 2 3]", "t-0[0 1 2]"}, committed: 4},
		{name: "Permanent items: those alone are dropped", policy: partial,
			handler: until(1, verdict.Permanent(item(1, 2))), calls: []string{"t-0[0 1 2 3]"},
			drops: []string{"t-0[1 2] PermanentError after 1"}, committed: 4},
		{name: "Permanent items, one unknown: the whole batch is retried, nothing is dropped", policy: partial,
			handler: until(1, verdict.Permanent(item(1, 99))), calls: []string{"t-0[0 1 2 3]", "t-0[0 1 2 3]"}, committed: 4},
		{name: "Permanent items, not asked for: the whole batch is retried", policy: never,
			handler: until(1, verdict.Permanent(item(1))), calls: []string{"t-0[0 1 2 3]", "t-0[0 1 2 3]"}, committed: 4},
		{name: "Throttled items: those alone, no attempt", policy: verdict.Policy{MaximumRetryAttempts: 0, Partial: true},
			handler: until(1, verdict.Throttled(item(2))), calls: []string{"t-0[0 1 2 3]", "t-0[2]"}, committed: 4},
		{name: "joined: items and a plain error fail the whole batch", policy: partial, handler: until(1, errors.Join(item(1), boom)),
			calls: []string{"t-0[0 1 2 3]", "t-0[0 1 2 3]"}, committed: 4},
		{name: "joined: Permanent and a plain error are retried", policy: never, handler: until(1, errors.Join(verdict.Permanent(boom), boom)),
			calls: []string{"t-0[0 1 2 3]", "t-0[0 1 2 3]"}, committed: 4},
	} {
		inBubble(t, c.name, func(t *testing.T) {
			b := membroker.NewBroker(t)
			b.Produce("t", numbered(4)...)
			s := defaults()
			s.Retry = c.policy
			call := 0
			var drops []string
			r := newRig(t, b, s, func(_ context.Context, e event.KafkaEvent) error {
				call++
				return c.handler(call, e)
			}, dropsInto(&drops)).start()
			pass(10 * time.Minute)
			r.mustStop()
			wantLines(t, "invocations", r.briefs(), c.calls...)
			wantLines(t, "drops", drops, c.drops...)
			if k := b.Committed("g", "t", 0).Offset; k != c.committed {
				t.Errorf("committed %d, want %d", k, c.committed)
			}
			var dropped int64
			for _, d := range c.drops {
				offsets, _, _ := strings.Cut(d, "]")
				dropped += int64(len(strings.Fields(offsets)))
			}
			if m := r.runner.Metrics(); m.DroppedEventCount != dropped || m.InvokeCount != int64(len(c.calls)) {
				t.Errorf("metrics %+v, want %d dropped and %d invocations", m, dropped, len(c.calls))
			}
		})
	}
}

// Records behind a failed batch of their partition wait until it is resolved, including all its parts.
func TestRetryKeepsOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.Produce("t", numbered(6)...)
		s := defaults()
		s.BatchSize, s.Retry = 4, verdict.Policy{MaximumRetryAttempts: 1, Bisect: true}
		r := newRig(t, b, s, func(_ context.Context, e event.KafkaEvent) error {
			if has(e, 1) {
				return errors.New("poison")
			}
			return nil
		}).start()
		pass(time.Minute)
		wantLines(t, "invocations", r.briefs(), "t-0[0 1 2 3]", "t-0[0 1]", "t-0[0]", "t-0[1]", "t-0[1]", "t-0[2 3]", "t-0[4 5]")
		r.mustStop()
	})
}

// Every part of a failed mixed batch has its own attempts and its own pause.
func TestMixedBatchIsSplit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 3)
		for i := range int32(3) {
			b.Produce("t", membroker.Record{Partition: i, Value: []byte("v")})
		}
		s := defaults()
		s.Retry.MaximumRetryAttempts = 2
		var drops []string
		r := newRig(t, b, s, func(_ context.Context, e event.KafkaEvent) error {
			if has(e, 0) {
				return errors.New("poison")
			}
			return nil
		}, dropsInto(&drops)).start()
		pass(time.Minute)
		got := r.briefs()
		if got[0] != "t-0[0] t-1[0] t-2[0]" {
			t.Errorf("first %s", got[0])
		}
		slices.Sort(got[1:])
		wantLines(t, "after it", got[1:], "t-0[0]", "t-0[0]", "t-1[0]", "t-2[0]")
		wantLines(t, "drops", drops, "t-0[0] RetryAttemptsExhausted after 3")
		for i := range int32(3) {
			if k := b.Committed("g", "t", i).Offset; k != 1 {
				t.Errorf("partition %d committed %d, want 1", i, k)
			}
		}
		r.mustStop()
	})
}

func TestBackoffBetweenTries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.Produce("t", numbered(1)...)
		r := newRig(t, b, defaults(), func(context.Context, event.KafkaEvent) error { return errors.New("boom") },
			WithRetryBackoff(time.Second, 4*time.Second)).start()
		pass(time.Minute)
		r.mustStop()
		if len(r.at) < 8 {
			t.Fatalf("only %d tries", len(r.at))
		}
		want := time.Second
		for i := 1; i < len(r.at); i++ {
			if d := r.at[i].Sub(r.at[i-1]); d < want/2 || d > want {
				t.Errorf("pause %d was %v, want between %v and %v", i, d, want/2, want)
			}
			want = min(2*want, 4*time.Second)
			inv := r.infos[i]
			if inv.Attempt != i+1 || !inv.FirstFailure.Equal(r.at[0]) {
				t.Errorf("try %d says attempt %d, first failure %v", i+1, inv.Attempt, inv.FirstFailure)
			}
		}
	})
}

// The attempt number belongs to the head record: both halves of a failed batch were tried before.
func TestAttemptOfHalves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.Produce("t", numbered(2)...)
		s := defaults()
		s.Retry.Bisect = true
		r := newRig(t, b, s, func(_ context.Context, e event.KafkaEvent) error {
			if e.Len() == 2 {
				return errors.New("too many")
			}
			return nil
		}).start()
		pass(time.Minute)
		var got []string
		for i, e := range r.events() {
			got = append(got, fmt.Sprintf("%s attempt %d again %t", brief(e), r.infos[i].Attempt, !r.infos[i].FirstFailure.IsZero()))
		}
		wantLines(t, "invocations", got, "t-0[0 1] attempt 1 again false", "t-0[0] attempt 2 again true", "t-0[1] attempt 2 again true")
		r.mustStop()
	})
}

// A handler that returns ItemFailures although the mapping does not ask for it is reported from time to time.
func TestUnaskedItemFailuresAreTold(t *testing.T) {
	for _, asked := range []bool{false, true} {
		inBubble(t, fmt.Sprint(asked), func(t *testing.T) {
			b := membroker.NewBroker(t)
			b.Produce("t", numbered(2)...)
			var log bytes.Buffer
			s := defaults()
			s.Retry.Partial = asked
			r := newRig(t, b, s, func(_ context.Context, e event.KafkaEvent) error {
				return itemFailures(e.Records["t-0"][0].ItemID())
			},
				WithLogger(slog.New(slog.NewTextHandler(&log, nil))), WithRetryBackoff(time.Second, time.Second)).start()
			pass(150 * time.Second)
			standing := slices.ContainsFunc(r.runner.Status().Conditions, func(c observe.Condition) bool {
				return c.Op == observe.OpInvoke && strings.Contains(c.Err.Error(), "the mapping has no FunctionResponseTypes")
			})
			r.mustStop()
			told := strings.Count(log.String(), "no FunctionResponseTypes")
			if standing == asked || told > 6 || told > 0 == asked {
				t.Errorf("told %d times in 150 s of failures, Status has it: %v", told, standing)
			}
		})
	}
}
