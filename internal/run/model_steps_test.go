package run

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/esmtest/membroker"
	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/mapping"
	"github.com/esm-go/esm/observe"
)

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
	s.Fingerprint = agreement(m.mapping) // as an Update of it would set it
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
			Assigned: func(i observe.AssignmentInfo) { // a partition that comes back has no history
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
			w.records[tp][next+int64(k)] = !w.begun // before its start is known, either is correct
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
				w.records[tp][offset] = true // delivered or not, both are correct
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
	case "hammer": // from two goroutines at once
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
	case "cut": // a stop that interrupts the handlers
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
	case "crash": // the group removes it, so nothing that it still does counts
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
