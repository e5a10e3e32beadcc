package model

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/esm-go/esm"
)

// given is what a handler recorded of its event before it changed anything.
type given struct {
	keys    []string
	records []*record
}

// write records what a handler was given, and checks it against the rules. The caller holds mu.
func (w *world) write(p *process, e esm.KafkaEvent) (g given) {
	g.keys = slices.Sorted(maps.Keys(e.Records))
	for _, key := range g.keys {
		mine := p.name + " " + key
		// Not checked where both apply: a poller can lose a partition to another one of its process before it
		// is told.
		if w.busy[mine]++; w.busy[mine] > 1 && (!w.s.Scale || !w.harsh) {
			w.faultf("%s has two invocations of %s at a time", p.name, key)
		}
		if w.busy[key]++; w.busy[key] > 1 && !w.harsh {
			w.faultf("%s is invoked by two processes at a time", key)
		}
		if len(e.Records[key]) == 0 {
			w.faultf("%s was given no record of %s", p.name, key)
		}
		in := make(map[*record]bool)
		last := (*record)(nil) // of those that are still there
		for i := range e.Records[key] {
			given := &e.Records[key][i]
			r := w.known(p.name, given)
			if r == nil {
				continue
			}
			if r.tp.String() != key {
				w.faultf("%s was given %s[%d] as of %s", p.name, r.tp, r.offset, key)
			}
			if i > 0 && given.Offset <= e.Records[key][i-1].Offset {
				w.faultf("%s was given %s[%d] behind %d", p.name, key, given.Offset, e.Records[key][i-1].Offset)
			}
			if r.never && !r.gone {
				w.faultf("%s was given %s[%d] (id %d), which is not to be handled", p.name, key, r.offset, r.id)
			}
			if !r.gone {
				last = r
			}
			if r.later != "" {
				w.count(r.later)
			}
			w.handed(p, r)
			in[r] = true
			g.records = append(g.records, r)
		}
		if last == nil {
			continue
		}
		h := w.logs[last.tp]
		if h.before != nil && time.Since(h.changed) < 3*time.Minute {
			continue // recreated while its start was looked up: the next check of the topics' ids detects it
		}
		h.unresolved()
		for _, r := range h.records[h.open:] {
			if r.offset >= last.offset {
				break
			}
			if !r.resolved && !in[r] {
				w.faultf("%s was given %s up to %d before %d (id %d) was resolved", p.name, key, last.offset, r.offset, r.id)
				break
			}
		}
	}
	return g
}

// mood is what a handler is about to do.
type mood struct {
	sleep        time.Duration
	deaf         bool // ignores its context
	habit        int
	question     int
	fails        bool
	kind, victim int
	stays        bool // returns nil although its context has ended
}

// draw draws a mood. The caller holds mu.
func (w *world) draw(g given) (m mood) {
	m.habit, m.question = w.rng.IntN(5), -1
	if w.calm {
		return m
	}
	if w.s.Slow > 0 && w.rng.IntN(4) == 0 {
		m.sleep = time.Duration(w.rng.Int64N(int64(w.s.Slow)))
		m.deaf = w.rng.IntN(3) == 0
	}
	if w.s.Nosy && w.rng.IntN(8) == 0 {
		m.question = w.rng.IntN(6)
	}
	m.fails, m.kind, m.victim = w.rng.IntN(1000) < w.s.FailPer, w.rng.IntN(8), w.rng.IntN(max(len(g.records), 1))
	m.stays = w.rng.IntN(3) == 0
	return m
}

// handler returns the handler of a process. It behaves like a user's.
func (w *world) handler(p *process) esm.Handler {
	return func(ctx context.Context, e esm.KafkaEvent) error {
		unlock := w.lock()
		g := w.write(p, e)
		m := w.draw(g)
		if m.deaf {
			w.deaf[p.name]++
		}
		if w.s.Batch > len(g.records) && w.s.Window >= 20 && w.s.Fat {
			if inv, ok := esm.InvocationFromContext(ctx); ok && inv.Attempt == 1 && len(g.records) > 0 && time.Since(g.records[0].at) < 10*time.Second {
				w.count(fullBatchSent)
			}
		}
		if m.habit == 0 && len(w.kept) > 0 {
			mangle(w.kept[w.rng.IntN(len(w.kept))])
		}
		if m.habit == 1 && len(w.kept) < 50 {
			w.kept = append(w.kept, e)
		}
		unlock()
		if m.habit == 2 || m.habit == 4 {
			mangle(e)
		}
		w.ask(p, m.question)
		var err error
		if m.sleep > 0 {
			heed := ctx.Done()
			if m.deaf {
				heed = nil
			}
			timer := time.NewTimer(m.sleep)
			select {
			case <-timer.C:
			case <-heed:
				err = ctx.Err()
			}
			timer.Stop()
		}
		unlock = w.lock()
		defer unlock()
		for _, key := range g.keys {
			w.busy[p.name+" "+key]--
			w.busy[key]--
		}
		if m.deaf {
			w.deaf[p.name]--
		}
		if m.habit == 3 {
			defer mangle(e)
		}
		return w.say(ctx, p, g, m, err)
	}
}

// say returns what a handler returns, and records what it means. The caller holds mu.
func (w *world) say(ctx context.Context, p *process, g given, m mood, err error) error {
	interrupted := endedByEngine(ctx)
	if interrupted {
		switch {
		case errors.Is(context.Cause(ctx), esm.ErrPartitionsGone):
			w.count(goneIgnored)
		default:
			w.count(stopCut)
		}
	}
	if errors.Is(context.Cause(ctx), esm.ErrInvocationTimeout) {
		w.count(timedOut)
	}
	blame := func(records []*record, permanent bool) {
		if interrupted {
			w.count(interruptedErr)
			return
		}
		w.shelf.blamed(records, permanent)
		for _, r := range records {
			key := p.name + " " + r.tp.String()
			if w.blame[key] == nil {
				w.blame[key], w.condemned[key] = make(map[*record]int), make(map[*record]bool)
			}
			w.blame[key][r]++
			w.condemned[key][r] = w.condemned[key][r] || permanent
		}
	}
	if err != nil && !m.stays {
		if m.kind == 3 && interrupted {
			err = esm.Permanent(err)
		}
		blame(g.records, false)
		return fmt.Errorf("cut short: %w", err)
	}
	if !m.fails || len(g.records) == 0 {
		w.handledNow(p, g.records...)
		return nil
	}
	switch victim := g.records[m.victim]; {
	case m.kind < 3 && w.s.Partial:
		w.count(partialFail)
		for _, r := range g.records {
			if r != victim {
				w.handledNow(p, r)
			}
		}
		blame([]*record{victim}, m.kind == 2 && w.s.Attempts >= 0)
		err := esm.ItemFailures(esm.ItemID{Partition: victim.tp.String(), Offset: victim.offset})
		if m.kind == 2 && w.s.Attempts >= 0 {
			return esm.Permanent(err)
		}
		return fmt.Errorf("one of them: %w", err)
	case m.kind == 3:
		return esm.Throttled(errThrottled)
	case m.kind == 4:
		w.count(panicked)
		blame(g.records, false)
		panic("the handler's")
	case m.kind == 5 && w.s.Attempts >= 0:
		blame(g.records, true)
		return esm.Permanent(errors.New("never"))
	}
	blame(g.records, false)
	return errors.New("no")
}

func resolve(records ...*record) {
	for _, r := range records {
		r.resolved = true
	}
}

// dropped checks a drop against what the handler did.
func (w *world) dropped(p *process, d esm.DropInfo) {
	defer w.lock()()
	p.tally.drops(len(d.Records))
	if w.s.Destination {
		w.faultf("%s dropped %v, and has a destination", p.name, d)
	}
	key := p.name + " " + d.String()
	for i := range d.Records {
		r := w.known("Drop", &d.Records[i])
		if r == nil {
			continue
		}
		n, age := w.blame[key][r], time.Since(r.at)
		switch {
		case d.Reason == esm.DropPermanent && w.condemned[key][r]:
			w.count(dropPermanent)
		case d.Reason == esm.DropRetriesExhausted && w.s.Attempts >= 0 && n > w.s.Attempts:
			w.count(dropLimit)
		case d.Reason == esm.DropRecordAge && w.s.MaxAge > 0 && age >= time.Duration(w.s.MaxAge)*time.Second:
			w.count(dropAge)
		default:
			w.faultf("%s dropped %s[%d] (%s) of age %v after the handler had failed with it %d times", p.name, d.TopicPartition, r.offset, d.Reason, age, n)
			continue
		}
		resolve(r)
	}
	mangleRecords(d.Records)
}

// ask makes a handler use its Runner, as any goroutine may.
func (w *world) ask(p *process, what int) {
	switch what {
	case 0:
		_ = p.runner.Status()
	case 1:
		p.runner.Pause()
	case 2, 3:
		p.runner.Resume()
	case 4:
		_ = p.runner.Healthy()
	case 5:
		w.update(p, 0)
	}
}

// mangle changes an event in the ways that its owner is allowed to.
func mangle(e esm.KafkaEvent) {
	for key, records := range e.Records {
		mangleRecords(records)
		e.Records[key] = slices.Delete(records, 0, min(1, len(records)))
	}
	e.Records["other-99"] = []esm.KafkaRecord{{Offset: 5}}
	for key := range e.Records {
		delete(e.Records, key)
		break
	}
}

func mangleRecords(records []esm.KafkaRecord) {
	for i := range records {
		r := &records[i]
		for k := range r.Headers {
			r.Headers[k] = esm.Header{Key: "gone"}
		}
		r.Headers = append(r.Headers[:0], esm.Header{Key: "more"})
		r.Key, r.Value = append(r.Key, "-appended"...), append(r.Value, "-appended"...)
		r.Offset, r.Topic, r.Partition, r.Timestamp, r.Key, r.Value = -7, "other", 99, 0, nil, nil
	}
	slices.Reverse(records)
	clear(records[:len(records)/2])
	_ = append(records, esm.KafkaRecord{Offset: 1 << 40})
}
