package run

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/internal/shared"
	"github.com/esm-go/esm/internal/verdict"
	"github.com/esm-go/esm/observe"
)

// given is a record as the handler received it, before it modified its event.
type given struct {
	event.TopicPartition
	offset int64
}

// blame records that the handler itself failed with records.
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

// dropped checks a drop against what the handler did.
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

// ask lets a handler use its Runner as any goroutine may.
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
				deaf = w.rng.IntN(2) == 0 // ignores its context
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

// dawdle is a slow hook.
func (w *world) dawdle() {
	w.mu.Lock()
	var d time.Duration
	if w.s.Nosy && !w.calm && w.rng.IntN(10) == 0 {
		d = time.Duration(w.rng.IntN(500)) * time.Millisecond
	}
	w.mu.Unlock()
	time.Sleep(d)
}
