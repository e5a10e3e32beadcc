package lookup

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/esm-go/esm/internal/partition"
	"github.com/esm-go/esm/internal/start"
)

// Lookups wait in order; four run at a time, and each answer lets the next one run.
func TestQuestionsWaitInTurn(t *testing.T) {
	l, now := prepared(0), time.Now()
	parts := list(7)
	for _, p := range parts {
		l.Add(question(start.Begin, p))
	}
	var order []int32
	under, again := advance(l, now, held(parts...))
	if len(under) != 4 {
		t.Fatalf("%d questions are put at a time, want 4", len(under))
	}
	if !again.IsZero() {
		t.Errorf("Advance is to be called again at %v, want by the next answer", again)
	}
	for len(under) > 0 {
		order = append(order, under[0].Names[0].Partition)
		if put, _ := advance(l, now, held(parts...)); len(put) != 0 {
			t.Fatalf("%d more questions are put while four are", len(put))
		}
		l.Take(under[0])
		put, _ := advance(l, now, held(parts...))
		if len(put) > 1 {
			t.Fatalf("%d questions are put after one answer", len(put))
		}
		under = append(under[1:], put...)
	}
	if !slices.Equal(order, []int32{0, 1, 2, 3, 4, 5, 6}) {
		t.Errorf("put in the order %v", order)
	}
	if l.Failing() {
		t.Error("failing, and everything is answered")
	}
}

// A lookup that waits for its time does not hold up others, and Advance returns the earliest such time.
func TestQuestionsWaitForTheirTime(t *testing.T) {
	l, now := prepared(0), time.Now()
	parts := list(3)
	for i, after := range []time.Duration{3 * time.Second, time.Second, 0} {
		one := question(start.Begin, parts[i])
		one.After = now.Add(after)
		l.Add(one)
	}
	for _, step := range []struct {
		at    time.Duration
		put   int32 // -1 = none
		again time.Duration
	}{{0, 2, time.Second}, {time.Second - 1, -1, time.Second}, {time.Second, 1, 3 * time.Second}, {3*time.Second - 1, -1, 3 * time.Second}, {3 * time.Second, 0, 0}} {
		put, again := advance(l, now.Add(step.at), held(parts...))
		if len(put) == 0 != (step.put < 0) || len(put) > 1 || len(put) == 1 && put[0].Names[0].Partition != step.put {
			t.Fatalf("after %v %d questions are put, want that of partition %d", step.at, len(put), step.put)
		}
		if step.again == 0 && !again.IsZero() || step.again != 0 && !again.Equal(now.Add(step.again)) {
			t.Errorf("after %v Advance is to be called again at %v, want after %v", step.at, again, step.again)
		}
	}
}

// A lookup names the partitions that are still assigned when it starts, and what is known of them. If none is, the lookup is
// dropped and does not count as one of the four.
func TestWhatAQuestionNames(t *testing.T) {
	l, now := prepared(0), time.Now()
	parts := list(4)
	gone, going, anew := parts[0], parts[1], parts[3]
	gone.Alive, going.Phase, anew.Anew = false, partition.Draining, true
	for range AtOnce {
		l.Add(question(start.Begin, gone, going))
	}
	l.Add(question(start.Begin, parts...))
	l.Add(question(start.Topics))
	put, again := advance(l, now, held(parts...))
	if len(put) != 2 || !again.IsZero() {
		t.Fatalf("%d questions are put, want those with a partition that lives and for the topics", len(put))
	}
	q := put[0]
	if !slices.Equal(numbers(q.Parts), []int32{2, 3}) || len(q.Names) != 2 || q.Names[0].Partition != 2 || q.Names[1].Partition != 3 {
		t.Errorf("the question names %v", q.Names)
	}
	if !slices.Equal(q.Anew, []bool{false, true}) || len(q.Found) != 2 {
		t.Errorf("the question says %v of whether the topics were made again, and has room for %d answers", q.Anew, len(q.Found))
	}
	if put[1].Kind != start.Topics || q.Start.At != 7 || put[1].Start.At != 7 {
		t.Errorf("the questions go by the starting positions %v and %v", q.Start, put[1].Start)
	}
}

// The topic ids of running partitions are looked up once an interval.
func TestTopicsAreChecked(t *testing.T) {
	const interval = time.Minute
	before := time.Now()
	l := prepared(interval)
	after := time.Now()
	runs, begins, goes := living(0, partition.Running), living(1, partition.Starting), living(2, partition.Draining)
	all := held(runs, begins, goes)
	put, again := advance(l, before.Add(interval-1), all)
	if len(put) != 0 || again.Before(before.Add(interval)) || again.After(after.Add(interval)) {
		t.Fatalf("%d questions within the first interval, the next at %v", len(put), again)
	}
	now := after.Add(interval)
	for range 3 {
		put, again := advance(l, now, all)
		if len(put) != 1 || put[0].Kind != start.IDs || !slices.Equal(numbers(put[0].Parts), []int32{0}) || !again.Equal(now.Add(interval)) {
			t.Fatalf("%d questions after an interval: %+v; the next at %v", len(put), put, again)
		}
		l.Take(put[0])
		if put, _ := advance(l, now.Add(interval-1), all); len(put) != 0 {
			t.Fatalf("%d more questions within the interval", len(put))
		}
		now = now.Add(interval)
	}
	if put, again := advance(l, now, held(begins)); len(put) != 0 || !again.Equal(now.Add(interval)) {
		t.Errorf("%d questions with no partition that runs, the next at %v", len(put), again)
	}
	if put, again := advance(prepared(0), now.Add(time.Hour), all); len(put) != 0 || !again.IsZero() {
		t.Errorf("with no interval %d questions, the next at %v", len(put), again)
	}
}

// A minute after an assignment, the group's commits are checked once for those of another mapping. A later assignment postpones
// the check, and a mapping without a fingerprint makes none.
func TestOthersAreLookedFor(t *testing.T) {
	l, now := prepared(0), time.Now()
	all := held(living(0, partition.Running), living(1, partition.Starting))
	if put, again := advance(l, now.Add(time.Hour), all); len(put) != 0 || !again.IsZero() {
		t.Fatalf("%d questions before an assignment, the next at %v", len(put), again)
	}
	l.LookForOthers(now)
	now = now.Add(30 * time.Second)
	l.LookForOthers(now)
	at := now.Add(time.Minute)
	if put, again := advance(l, at.Add(-1), all); len(put) != 0 || !again.Equal(at) {
		t.Fatalf("%d questions within a minute, the next at %v, want %v", len(put), again, at)
	}
	if again := l.Advance(at, start.Policy{}, "", all); !again.IsZero() || len(l.questions) != 0 {
		t.Errorf("without a fingerprint %d questions, the next at %v", len(l.questions), again)
	}
	put, again := advance(l, at, all)
	if len(put) != 1 || put[0].Kind != start.Others || !slices.Equal(numbers(put[0].Parts), []int32{0}) || !again.IsZero() {
		t.Fatalf("%d questions after a minute, the next at %v", len(put), again)
	}
	l.Take(put[0])
	if put, again := advance(l, at.Add(time.Hour), all); len(put) != 0 || !again.IsZero() {
		t.Errorf("%d more questions an hour later, the next at %v", len(put), again)
	}
}

// Failing is true while a lookup runs, while one waits for a retry, and after a failed check of topic ids.
func TestFailing(t *testing.T) {
	l, now := prepared(time.Minute), time.Now()
	p := living(0, partition.Running)
	if l.Add(question(start.Begin, p)); l.Failing() {
		t.Error("failing with a question that waits for its first try")
	}
	one := putOne(t, l, now, held(p))
	if !l.Failing() {
		t.Error("not failing with a question that is put")
	}
	one.Err = errBroker
	o := l.Take(one)
	if l.Again(*one, o.Again, now.Add(time.Second)); !l.Failing() {
		t.Error("not failing with a question that waits for its second try")
	}
	if l.Take(putOne(t, l, now.Add(time.Second), held(p))); l.Failing() {
		t.Error("failing when the second try has succeeded")
	}
	now = now.Add(2 * time.Minute)
	check := putOne(t, l, now, held(p))
	check.Err = errBroker
	if l.Take(check); !l.Failing() {
		t.Error("not failing after a check of topics that failed")
	}
	now = now.Add(time.Minute)
	if l.Take(putOne(t, l, now, held(p))); l.Failing() {
		t.Error("failing after a check of topics that succeeded")
	}
	now = now.Add(time.Minute)
	check = putOne(t, l, now, held(p))
	check.Err = errBroker
	l.Take(check)
	if advance(l, now.Add(time.Minute), nil); l.Failing() {
		t.Error("failing with nothing left to check")
	}
}

// The earlier of two times. A zero time does not count.
func TestEarlierProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		draw := func(name string) time.Time {
			if n := rapid.Int64Range(0, 3).Draw(t, name); n > 0 {
				return time.Unix(n, 0)
			}
			return time.Time{}
		}
		a, b := draw("a"), draw("b")
		got := earlier(a, b)
		if !got.Equal(a) && !got.Equal(b) || got.IsZero() != (a.IsZero() && b.IsZero()) || !a.IsZero() && got.After(a) || !b.IsZero() && got.After(b) {
			t.Fatalf("of %v and %v the earlier one is %v", a, b, got)
		}
	})
}
