package run

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/esmtest/membroker"
	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/internal/shared"
	"github.com/esm-go/esm/internal/verdict"
	"github.com/esm-go/esm/mapping"
	"github.com/esm-go/esm/observe"
)

// The model test runs several members of one group through random scripts in virtual time, and holds these against
// every commit that the broker accepts and every invocation that begins:
//
//   - guarantee 1: no commit passes a record that is not resolved;
//   - guarantee 2: when a record is invoked, every record before it in its partition is resolved or in the same batch,
//     and no member has two invocations of one partition at a time, also when it lost the partition and got it back; while
//     nothing but revocations in time moves partitions, no two members have either;
//   - a record is given as it was produced, whatever handlers did to the events that they were given before: the handler is
//     a user, who sorts, overwrites, appends, keeps, panics, heeds its context or does not, and asks the Runner things;
//   - a drop resolves a record only when the handler itself failed with it as often as the limit says, or said Permanent;
//     what the engine interrupted does not count;
//   - a failed batch waits out its pause before it is invoked again;
//   - under LATEST, what was there before the group began is never invoked, whoever starts which partition when, and what
//     is produced once it has begun is, on partitions that are added later too;
//   - guarantees 1 and 3, in the end: when everything heals, every record is resolved and the group's commits reach the
//     ends of the logs.

// step is one line of a script.
type step struct {
	op        string
	who, part int
	n         int
	d         time.Duration
}

func (s step) String() string {
	return fmt.Sprintf("%s who=%d part=%d n=%d d=%v", s.op, s.who, s.part, s.n, s.d)
}

// script is all that chance decides.
type script struct {
	Partitions, Members int
	Seed                uint64
	Batch               int
	Window              time.Duration
	Retry               verdict.Policy
	FailPerMille        int
	Slow                time.Duration
	// Breaker: the members have circuit breakers; Nosy: hooks are slow, and handlers call the Runner.
	Breaker, Nosy bool
	// Old is how many records each partition holds before a group begins under LATEST, whose first steps are Begin; -1 is
	// TRIM_HORIZON.
	Old   int
	Begin []step
	Steps []step
}

func drawScript(t *rapid.T) script {
	ops := []string{"produce", "produce", "produce", "gap", "compact", "wait", "wait", "wait", "revoke", "lose", "rebalance", "pause", "resume", "hammer", "cut",
		"stop", "crash", "restart", "failcommit", "hangcommit", "moveleader", "grow", "retention", "stopbroker", "failother", "heal"}
	oneOf := func(ops []string) *rapid.Generator[step] {
		return rapid.Custom(func(t *rapid.T) step {
			return step{
				op:   rapid.SampledFrom(ops).Draw(t, "op"),
				who:  rapid.IntRange(0, 2).Draw(t, "who"),
				part: rapid.IntRange(0, 3).Draw(t, "part"),
				n:    rapid.IntRange(1, 40).Draw(t, "n"),
				d:    time.Duration(rapid.IntRange(1, 4000).Draw(t, "ms")) * time.Millisecond,
			}
		})
	}
	old, begin := -1, []step(nil)
	if rapid.Bool().Draw(t, "latest") {
		old = rapid.IntRange(0, 5).Draw(t, "old")
		begin = rapid.SliceOfN(oneOf([]string{"produce", "produce", "wait", "wait", "revoke", "lose", "rebalance", "crash", "restart", "failcommit",
			"failother", "failother"}), 0, 12).Draw(t, "begin")
	}
	return script{
		Old: old, Begin: begin,
		Partitions:   rapid.IntRange(1, 4).Draw(t, "partitions"),
		Members:      rapid.IntRange(1, 3).Draw(t, "members"),
		Seed:         rapid.Uint64().Draw(t, "seed"),
		Batch:        rapid.SampledFrom([]int{1, 3, 10, 50}).Draw(t, "batch"),
		Window:       rapid.SampledFrom([]time.Duration{0, 100 * time.Millisecond, 2 * time.Second}).Draw(t, "window"),
		FailPerMille: rapid.SampledFrom([]int{0, 100, 500, 1000}).Draw(t, "fail"),
		Slow:         rapid.SampledFrom([]time.Duration{0, 300 * time.Millisecond, 20 * time.Second}).Draw(t, "slow"),
		Breaker:      rapid.Bool().Draw(t, "breaker"),
		Nosy:         rapid.Bool().Draw(t, "nosy"),
		Retry: verdict.Policy{
			MaximumRetryAttempts: rapid.SampledFrom([]int{-1, 0, 2}).Draw(t, "attempts"),
			Bisect:               rapid.Bool().Draw(t, "bisect"),
			Partial:              rapid.Bool().Draw(t, "partial"),
		},
		Steps: rapid.SliceOfN(oneOf(ops), 5, 60).Draw(t, "steps"),
	}
}

// world is the state of one run of a script.
type world struct {
	s      script
	broker *membroker.Broker

	mu       sync.Mutex
	rng      *rand.Rand
	records  map[event.TopicPartition]map[int64]bool // existing record → resolved
	old      map[event.TopicPartition]int64          // what was there before the group began under LATEST
	begun    bool                                    // every partition has its start: what is produced is to be handled
	resting  map[string]time.Time                    // "member partition" → the end of the pause before the next try
	busy     map[string]int                          // "member partition" → invocations
	failed   map[string]map[int64]int                // "member partition" → how often the handler itself failed with each record
	never    map[string]map[int64]bool               // for which of them it said Permanent
	kept     []event.KafkaEvent                      // that handlers hold on to, and go on writing to
	faults   []string
	drowsy   bool // handlers wait for the end of their context
	calm     bool // no failure any more
	harsh    bool // partitions have moved otherwise than by a revocation in time
	slept    bool // handlers may have outlasted a revocation: one has its batch while a partition of it is still there
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

// given is a record as the handler wrote it down before it did anything to its event.
type given struct {
	event.TopicPartition
	offset int64
}

// blame notes that the handler itself failed with records.
func (w *world) blame(name string, records []given, permanent bool) {
	for _, r := range records {
		key := name + " " + r.String()
		if w.failed[key] == nil {
			w.failed[key], w.never[key] = make(map[int64]int), make(map[int64]bool)
		}
		w.failed[key][r.offset]++
		w.never[key][r.offset] = w.never[key][r.offset] || permanent
	}
}

// dropped holds a drop against what the handler did.
func (w *world) dropped(name string, d observe.DropInfo) {
	key := name + " " + d.String()
	for _, r := range d.Records {
		switch n := w.failed[key][r.Offset]; {
		case d.Reason == observe.DropPermanent && w.never[key][r.Offset]:
		case d.Reason == observe.DropRetriesExhausted && w.s.Retry.MaximumRetryAttempts >= 0 && n > w.s.Retry.MaximumRetryAttempts:
		default:
			w.faultf("%s dropped %s[%d] (%s) after the handler had failed with it %d times", name, d.TopicPartition, r.Offset, d.Reason, n)
			continue
		}
		w.resolve([]given{{d.TopicPartition, r.Offset}})
	}
}

// ask has a handler use its Runner as any goroutine may.
func (w *world) ask(m *modelMember, what int) {
	switch what {
	case 0:
		_ = m.runner.Status()
	case 1:
		m.runner.Pause()
	case 2:
		m.runner.Resume()
	case 3:
		_ = m.runner.Healthy()
	case 4:
		if err := m.runner.Update(m.mapping); err != nil {
			w.mu.Lock()
			w.faultf("Update: %v", err)
			w.mu.Unlock()
		}
	}
}

// handle is the handler of every member.
func (w *world) handle(m *modelMember) shared.Handler {
	name := m.name
	return func(ctx context.Context, e event.KafkaEvent) error {
		w.mu.Lock()
		w.invoked++
		var all []given
		for key, records := range e.Records {
			w.busy[name+" "+key]++
			if w.busy[name+" "+key] > 1 {
				w.faultf("%s has two invocations of %s at a time", name, key)
			}
			if w.busy[key]++; w.busy[key] > 1 && !w.harsh && !w.slept {
				w.faultf("%s is invoked by two members at a time", key)
			}
			if until := w.resting[name+" "+key]; time.Now().Before(until) {
				w.faultf("%s invoked %s %v before its pause was over", name, key, time.Until(until))
			}
			tp := event.TopicPartition{Topic: records[0].Topic, Partition: records[0].Partition}
			if first := records[0].Offset; first < w.old[tp] {
				w.faultf("%s invoked %s at %d, which was there before the group began", name, key, first)
			}
			inBatch := make(map[int64]bool)
			for i, r := range records {
				if i > 0 && r.Offset <= records[i-1].Offset {
					w.faultf("%s: offset %d behind %d in one batch", key, r.Offset, records[i-1].Offset)
				}
				inBatch[r.Offset] = true
			}
			last := records[len(records)-1].Offset
			for offset, resolved := range w.records[tp] {
				if !resolved && offset < last && !inBatch[offset] {
					w.faultf("%s invoked %s up to %d before %d was resolved", name, key, last, offset)
				}
			}
			for _, r := range records {
				if want := fmt.Sprint(key, r.Offset); r.Topic != tp.Topic || r.Partition != tp.Partition || string(r.Value) != want || len(r.Headers) != 1 || string(r.Headers[0].Value) != want {
					w.faultf("%s was given %s[%d] as %+v", name, key, r.Offset, r)
				}
				all = append(all, given{tp, r.Offset})
			}
		}
		keys := slices.Collect(maps.Keys(e.Records))
		var sleep time.Duration
		fails, kind, some, deaf, question := false, 0, 0, false, -1
		if !w.calm {
			if w.s.Slow > 0 && w.rng.IntN(4) == 0 {
				sleep = time.Duration(w.rng.Int64N(int64(w.s.Slow)))
				deaf = w.rng.IntN(2) == 0 // does not heed its context
			}
			if w.drowsy && w.rng.IntN(2) == 0 {
				sleep = time.Minute
			}
			if w.s.Nosy && w.rng.IntN(8) == 0 {
				question = w.rng.IntN(5)
			}
			fails, kind, some = w.rng.IntN(1000) < w.s.FailPerMille, w.rng.IntN(6), w.rng.IntN(len(all))
		}
		habit := w.rng.IntN(4)
		if habit == 0 && len(w.kept) > 0 {
			mangle(w.kept[w.rng.IntN(len(w.kept))])
		}
		if habit == 1 {
			w.kept = append(w.kept, e)
		}
		w.mu.Unlock()
		if habit == 2 {
			mangle(e)
		}
		w.ask(m, question)
		var err error
		if sleep > 0 {
			end := ctx.Done()
			if deaf && sleep < 6*time.Second {
				end = nil
			}
			select {
			case <-time.After(sleep):
			case <-end:
				err = ctx.Err()
			}
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		for _, key := range keys {
			w.busy[name+" "+key]--
			w.busy[key]--
		}
		if habit == 3 {
			defer mangle(e)
		}
		interrupted := errors.Is(context.Cause(ctx), observe.ErrStopping) || errors.Is(context.Cause(ctx), observe.ErrPartitionsGone)
		if err != nil {
			switch {
			case kind == 3 && interrupted:
				return verdict.Permanent(errors.New("cut off"))
			case kind%2 == 1:
				return context.Cause(ctx)
			}
			return err
		}
		if !fails {
			w.resolve(all)
			return nil
		}
		blame := func(records []given, permanent bool) {
			if !interrupted {
				w.blame(name, records, permanent)
			}
		}
		switch {
		case kind == 0 && w.s.Retry.Partial:
			for i := range all {
				if i != some {
					w.resolve(all[i : i+1])
				}
			}
			blame(all[some:some+1], false)
			return fmt.Errorf("one of them: %w", itemFailures(event.ItemID{Partition: all[some].String(), Offset: all[some].offset}))
		case kind == 1:
			return verdict.Throttled(errors.New("slow down"))
		case kind == 2:
			blame(all, false)
			panic("model")
		case kind == 3 && w.s.Retry.MaximumRetryAttempts >= 0:
			blame(all, true)
			return verdict.Permanent(errors.New("never"))
		}
		blame(all, false)
		return errors.New("model")
	}
}

func (w *world) resolve(records []given) {
	for _, r := range records {
		w.records[r.TopicPartition][r.offset] = true
	}
}

// dawdle is a hook that takes its time.
func (w *world) dawdle() {
	w.mu.Lock()
	var d time.Duration
	if w.s.Nosy && !w.calm && w.rng.IntN(10) == 0 {
		d = time.Duration(w.rng.IntN(500)) * time.Millisecond
	}
	w.mu.Unlock()
	time.Sleep(d)
}

func (w *world) startMember(i int) {
	w.restarts++
	name := fmt.Sprintf("m%d.%d", i, w.restarts)
	s := defaults()
	s.BatchSize, s.Window, s.Retry = w.s.Batch, w.s.Window, w.s.Retry
	if w.s.Old >= 0 {
		s.Start.At = driver.AtEnd
	}
	m := &modelMember{name: name, mapping: memoryMapping(), done: make(chan error, 1)}
	m.mapping.BatchSize, m.mapping.MaximumBatchingWindowInSeconds = s.BatchSize, new(int(s.Window/time.Second))
	m.mapping.MaximumRetryAttempts, m.mapping.BisectBatchOnFunctionError = new(s.Retry.MaximumRetryAttempts), s.Retry.Bisect
	if s.Retry.Partial {
		m.mapping.FunctionResponseTypes = []mapping.FunctionResponseType{mapping.ReportBatchItemFailures}
	}
	if w.s.Old < 0 {
		m.mapping.StartingPosition = mapping.TrimHorizon
	}
	s.Fingerprint = agreement(m.mapping) // as what an Update of it makes
	var breaker Option
	if w.s.Breaker {
		breaker = WithCircuitBreaker(Breaker{Failures: 3, Cooldown: 5 * time.Second})
	}
	rig := newRig(nil, w.broker, s, w.handle(m), breaker, WithClientID(name), WithSeed(w.s.Seed), WithStopTimeout(12*time.Second),
		WithRevokeTimeout(3*time.Second), WithBufferBytes(1<<20), WithMetadataMaxAge(5*time.Second),
		WithHooks(observe.Hooks{
			Drop: func(d observe.DropInfo) {
				w.mu.Lock()
				defer w.mu.Unlock()
				w.dropped(name, d)
			},
			Commit:   func(observe.CommitInfo) { w.dawdle() },
			BatchEnd: func(context.Context, observe.BatchEndInfo) { w.dawdle() },
			Retry: func(i observe.RetryInfo) {
				w.mu.Lock()
				defer w.mu.Unlock()
				if i.After < 50*time.Millisecond || i.After > 30*time.Second {
					w.faultf("%s pauses %s for %v", name, i.TopicPartition, i.After)
				}
				w.resting[name+" "+i.String()] = time.Now().Add(i.After)
			},
			Assigned: func(i observe.AssignmentInfo) { // a partition that comes back comes without its past
				w.mu.Lock()
				defer w.mu.Unlock()
				for _, tp := range i.Partitions {
					delete(w.resting, name+" "+tp.String())
					delete(w.failed, name+" "+tp.String())
					delete(w.never, name+" "+tp.String())
				}
			},
		}))
	m.runner = rig.runner
	m.runner.mapping = m.mapping.WithDefaults()
	ctx, cancel := context.WithCancel(context.Background())
	m.cancel = cancel
	go func() { m.done <- m.runner.Run(ctx) }()
	w.members[i] = m
}

func (w *world) memberID(name string) string {
	for _, m := range w.broker.Members("g") {
		if m.ClientID == name {
			return m.ID
		}
	}
	return ""
}

func (w *world) stopMember(i int) error {
	m := w.members[i]
	if m == nil {
		return nil
	}
	w.members[i] = nil
	m.cancel()
	err := <-m.done
	if stuck, ok := errors.AsType[*observe.StuckError](err); ok && w.harsh && len(stuck.Handlers) == 0 && len(stuck.Calls) == 1 && stuck.Calls[0].Op == observe.OpCommit {
		return nil // with the broker away, what was handled cannot be committed, and Run says so
	}
	return err
}

func (w *world) do(s step) error {
	part := int32(s.part % w.s.Partitions)
	tp := event.TopicPartition{Topic: "t", Partition: part}
	switch s.op {
	case "lose", "crash", "hangcommit", "stopbroker", "failcommit", "failother":
		w.mu.Lock()
		w.harsh = true
		w.mu.Unlock()
	}
	i := s.who % w.s.Members
	switch s.op {
	case "produce":
		w.mu.Lock()
		next := w.broker.End("t", part)
		for k := range s.n {
			w.records[tp][next+int64(k)] = !w.begun // before its start is found, either is right
		}
		w.mu.Unlock()
		for k := range s.n {
			w.broker.Produce("t", membroker.Record{Partition: part, Key: []byte{byte(k)},
				Value: fmt.Append(nil, tp.String(), next+int64(k)), Headers: []event.Header{{Key: "h", Value: fmt.Append(nil, tp.String(), next+int64(k))}}})
		}
	case "gap":
		w.broker.Gap("t", part, int64(s.n))
	case "compact":
		w.mu.Lock()
		gone := make(map[int64]bool)
		for offset := range w.records[tp] {
			if offset%7 == int64(s.n%7) {
				gone[offset] = true
				w.records[tp][offset] = true // delivered or not, both are right
			}
		}
		w.mu.Unlock()
		w.broker.Compact("t", part, func(offset int64, _ []byte) bool { return !gone[offset] })
	case "retention":
		before := (w.broker.End("t", part) + int64(s.n)) / 2
		before = min(before, w.broker.End("t", part))
		w.mu.Lock()
		for offset := range w.records[tp] {
			if offset < before {
				w.records[tp][offset] = true // gone, delivered or not
			}
		}
		w.mu.Unlock()
		w.broker.DeleteRecords("t", part, before)
	case "wait":
		time.Sleep(s.d)
	case "revoke":
		w.broker.Revoke(tp)
	case "lose":
		if m := w.members[i]; m != nil {
			if id := w.memberID(m.name); id != "" {
				w.broker.Lose(id)
			}
		}
	case "rebalance":
		w.broker.Rebalance("g")
	case "pause":
		if m := w.members[i]; m != nil {
			m.runner.Pause()
		}
	case "hammer": // from two goroutines at a time
		if m := w.members[i]; m != nil {
			var wg sync.WaitGroup
			wg.Go(func() {
				for range s.n {
					m.runner.Pause()
				}
			})
			for range s.n {
				m.runner.Resume()
			}
			wg.Wait()
			pass(30 * time.Second)
			if st := m.runner.Status(); (st.State == observe.Disabled || st.State == observe.Disabling) != m.runner.shared.Wish.IsPaused() {
				return fmt.Errorf("the state is %s, paused: %v", st.State, m.runner.shared.Wish.IsPaused())
			}
		}
	case "resume":
		if m := w.members[i]; m != nil {
			m.runner.Resume()
		}
	case "stop":
		return w.stopMember(i)
	case "cut": // a stop that handlers do not outlast
		w.mu.Lock()
		w.drowsy, w.slept = true, true
		w.mu.Unlock()
		err := w.do(step{op: "produce", part: s.part, n: s.n})
		pass(w.s.Window + 5*time.Second)
		if err == nil {
			err = w.stopMember(i)
		}
		w.mu.Lock()
		w.drowsy = false
		w.mu.Unlock()
		return err
	case "crash": // the group drops it, so nothing that it still does counts
		if m := w.members[i]; m != nil {
			if id := w.memberID(m.name); id != "" {
				w.broker.Lose(id)
			}
			return w.stopMember(i)
		}
	case "restart":
		if w.members[i] == nil {
			w.startMember(i)
		}
	case "failcommit":
		w.broker.Fail(membroker.OpCommit, s.n%4+1, &driver.Error{Kind: driver.KindUnavailable, Err: errors.New("script")})
	case "hangcommit":
		release := w.broker.Hang(membroker.OpCommit)
		time.Sleep(s.d)
		release()
	case "moveleader":
		w.broker.MoveLeader("t", part)
	case "grow":
		if w.s.Partitions < 6 {
			w.mu.Lock()
			w.records[event.TopicPartition{Topic: "t", Partition: int32(w.s.Partitions)}] = make(map[int64]bool)
			w.mu.Unlock()
			w.s.Partitions++
			w.broker.CreateTopic("t", int32(w.s.Partitions))
		}
	case "stopbroker":
		w.broker.Stop()
		time.Sleep(s.d)
		w.broker.Start()
	case "failother":
		w.broker.Fail([]membroker.Op{membroker.OpCommitted, membroker.OpListOffsets, membroker.OpTopics}[s.n%3], s.n%3+1,
			&driver.Error{Kind: driver.KindUnavailable, Err: errors.New("script")})
	case "heal":
		w.broker.Heal()
	}
	return nil
}

// begin lets a group under LATEST find all of its starts.
func (w *world) begin() error {
	w.broker.Heal()
	for i, m := range w.members {
		if m == nil {
			w.startMember(i)
		}
	}
	pass(2 * time.Minute)
	w.mu.Lock()
	defer w.mu.Unlock()
	for tp := range w.records {
		if k := w.broker.Committed("g", tp.Topic, tp.Partition).Offset; k < w.old[tp] {
			return fmt.Errorf("%s is committed at %d after two minutes; %d records were there before", tp, k, w.old[tp])
		}
	}
	w.begun = true
	return nil
}

// play runs a script in the bubble that it is called in.
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
	// Everything heals.
	w.mu.Lock()
	w.calm = true
	w.mu.Unlock()
	synctest.Wait() // no handler pauses any more
	w.broker.Heal()
	for i, m := range w.members {
		if m == nil {
			w.startMember(i)
		} else {
			m.runner.Resume()
		}
	}
	pass(5 * time.Minute)
	for part := range w.s.Partitions { // a circuit that is half-open wants something to try
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
	rapid.Check(t, func(rt *rapid.T) {
		s := drawScript(rt)
		var err error
		synctest.Test(t, func(*testing.T) { err = play(s) })
		if err != nil {
			rt.Fatalf("%v", err)
		}
	})
}
