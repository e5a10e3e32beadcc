package run

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/esm-go/esm/esmtest/membroker"
	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/mapping"
	"github.com/esm-go/esm/observe"
)

// The model test runs several members of one group through random scripts in virtual time, and checks these rules at
// every commit that the broker accepts and every invocation that starts:
//
//   - guarantee 1: no commit passes a record that is not resolved;
//   - guarantee 2: when a record is invoked, every record before it in its partition is resolved or in the same batch,
//     and no member has two invocations of one partition at a time, even if it lost the partition and got it back;
//     while only revocations in time move partitions, no two members do either;
//   - a record is delivered as it was produced, whatever handlers did to earlier events: the handler is a user, who
//     sorts, overwrites, appends, keeps, panics, obeys its context or does not, and calls the Runner;
//   - a drop resolves a record only if the handler itself failed with it as often as the limit says, or returned
//     Permanent; interrupted invocations do not count;
//   - a failed batch waits out its pause before it is invoked again;
//   - under LATEST, records from before the group started are never invoked, whichever member starts a partition and
//     whenever, and records produced after that are, also on partitions that are added later;
//   - guarantees 1 and 3, at the end: when all faults are over, every record is resolved and the group's commits reach
//     the ends of the logs.

// world is the state of one run of a script.
type world struct {
	s      script
	broker *membroker.Broker

	mu       sync.Mutex
	rng      *rand.Rand
	records  map[event.TopicPartition]map[int64]bool // existing record → resolved
	old      map[event.TopicPartition]int64          // offsets before the group started under LATEST
	begun    bool                                    // every partition has its start: what is produced must be handled
	resting  map[string]time.Time                    // "member partition" → the end of the pause before the next try
	busy     map[string]int                          // "member partition" → invocations
	failed   map[string]map[int64]int                // "member partition" → how often the handler itself failed with each record
	never    map[string]map[int64]bool               // the records for which it returned Permanent
	kept     []event.KafkaEvent                      // that handlers keep, and still write to
	faults   []string
	drowsy   bool // handlers wait for the end of their context
	calm     bool // no more failures
	harsh    bool // partitions have moved other than by a revocation in time
	slept    bool // handlers may have outlasted a revocation: a handler keeps its batch while one of its partitions is still assigned
	invoked  int
	restarts int

	members []*modelMember
}

type modelMember struct {
	name    string
	mapping mapping.Mapping // what Update is called with
	runner  *Process
	cancel  context.CancelFunc
	done    chan error
}

func (w *world) faultf(format string, args ...any) {
	if len(w.faults) < 5 {
		w.faults = append(w.faults, fmt.Sprintf(format, args...))
	}
}

func (w *world) onCommit(c membroker.CommitInfo) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for offset, resolved := range w.records[c.TopicPartition] {
		if !resolved && offset < c.Offset {
			w.faultf("%s committed %s at %d, past the unresolved %d", c.Member, c.TopicPartition, c.Offset, offset)
		}
	}
}

// play runs a script in the caller's bubble.
func play(s script) error {
	w := &world{s: s, rng: rand.New(rand.NewPCG(s.Seed, 1)), records: make(map[event.TopicPartition]map[int64]bool), busy: make(map[string]int), harsh: s.Slow > time.Second,
		old: make(map[event.TopicPartition]int64), resting: make(map[string]time.Time),
		failed: make(map[string]map[int64]int), never: make(map[string]map[int64]bool), begun: s.Old < 0}
	w.broker = membroker.NewBroker(nil, membroker.FetchRecords(7), membroker.OnCommit(w.onCommit))
	w.broker.CreateTopic("t", int32(s.Partitions))
	for i := range s.Partitions {
		tp := event.TopicPartition{Topic: "t", Partition: int32(i)}
		w.records[tp] = make(map[int64]bool)
		for range s.Old {
			w.broker.Produce("t", membroker.Record{Partition: tp.Partition, Value: []byte("old")})
		}
		w.old[tp] = w.broker.End("t", tp.Partition)
	}
	w.members = make([]*modelMember, s.Members)
	for i := range s.Members {
		w.startMember(i)
	}
	check := func(what string) error {
		w.mu.Lock()
		defer w.mu.Unlock()
		if len(w.faults) > 0 {
			return fmt.Errorf("after %s: %s", what, strings.Join(w.faults, "; "))
		}
		return nil
	}
	steps := func(steps []step) error {
		for n, st := range steps {
			err := w.do(st)
			synctest.Wait()
			if err == nil {
				err = check(fmt.Sprintf("step %d (%v)", n, st))
			}
			if err != nil {
				return err
			}
		}
		return nil
	}
	failed := steps(s.Begin)
	if !w.begun && failed == nil {
		failed = w.begin()
	}
	if failed == nil {
		failed = steps(s.Steps)
	}
	// All faults end.
	w.mu.Lock()
	w.calm = true
	w.mu.Unlock()
	synctest.Wait() // no handler is pausing now
	w.broker.Heal()
	for i, m := range w.members {
		if m == nil {
			w.startMember(i)
		} else {
			m.runner.Resume()
		}
	}
	pass(5 * time.Minute)
	for part := range w.s.Partitions { // a half-open circuit needs something to try
		if failed == nil {
			failed = w.do(step{op: "produce", part: part, n: 1})
		}
	}
	pass(5 * time.Minute)
	var status []observe.Status
	for _, m := range w.members {
		st := m.runner.Status()
		status = append(status, st)
		if len(st.Partitions) > 0 && (st.State != observe.Enabled || st.CircuitOpen) && failed == nil {
			failed = fmt.Errorf("in peace the state is %s, the circuit open: %v", st.State, st.CircuitOpen)
		}
		for _, p := range st.Partitions {
			if p.Paused != "" && failed == nil {
				failed = fmt.Errorf("in peace %v", p)
			}
		}
	}
	for i := range w.members {
		if err := w.stopMember(i); err != nil && failed == nil {
			failed = fmt.Errorf("stopping: %w", err)
		}
	}
	if failed != nil {
		return failed
	}
	if err := check("the end"); err != nil {
		return err
	}
	for tp, records := range w.records {
		for offset, resolved := range records {
			if !resolved {
				return fmt.Errorf("%s[%d] was never resolved; status %+v", tp, offset, status)
			}
		}
		if c, end := w.broker.Committed("g", tp.Topic, tp.Partition), w.broker.End(tp.Topic, tp.Partition); c.Offset != end {
			return fmt.Errorf("%s is committed at %d, not at its end %d; status %+v", tp, c.Offset, end, status)
		}
	}
	return nil
}

func TestModel(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		s := drawScript(rt)
		var err error
		synctest.Test(t, func(*testing.T) { err = play(s) })
		if err != nil {
			rt.Fatalf("%v", err)
		}
	})
}
