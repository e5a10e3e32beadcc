package model

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing/synctest"
	"time"

	"github.com/esm-go/esm"
)

// peaceBound is how long after the end of all trouble everything must be delivered, committed and healthy at
// the latest.
const peaceBound = 5 * time.Minute

// play runs a script in the caller's bubble. It returns the situations that were reached, and what was wrong.
func play(s script) (map[string]int, error) {
	w := newWorld(s)
	for i := range s.Processes {
		w.start(i)
	}
	err := w.run(s.Begin)
	if err == nil && s.Latest {
		err = w.begin()
	}
	if err == nil {
		err = w.run(s.Steps)
	}
	if err == nil {
		err = w.peace()
	}
	unlock := w.lock()
	w.calm = true
	unlock()
	w.broker.Heal()
	w.endTransactions()
	for i := range w.processes {
		w.stop(i, true)
	}
	w.wg.Wait()
	if err == nil {
		err = w.fault("the last stop")
	}
	if err == nil {
		if what := w.unsettled(); what != "" {
			err = fmt.Errorf("after the last stop: %s", what)
		}
	}
	time.Sleep(2 * time.Minute) // for handlers that were left behind
	defer w.lock()()
	return w.counts, err
}

// fault returns the faults recorded so far.
func (w *world) fault(after string) error {
	defer w.lock()()
	if len(w.faults) == 0 {
		return nil
	}
	return fmt.Errorf("after %s: %s", after, strings.Join(w.faults, "; "))
}

func (w *world) run(steps []step) error {
	for n, s := range steps {
		w.do(s)
		synctest.Wait()
		w.observe()
		if err := w.fault(fmt.Sprintf("step %d %v", n, s)); err != nil {
			return err
		}
	}
	return nil
}

// begin lets a group under LATEST find all of its starts: from then on everything that is produced must be
// handled.
func (w *world) begin() error {
	w.broker.Heal()
	for i, p := range w.processes {
		if p == nil {
			w.start(i)
		}
	}
	time.Sleep(2 * time.Minute)
	synctest.Wait()
	defer w.lock()()
	for tp, h := range w.logs {
		if h.committed < 0 {
			return fmt.Errorf("%s has no start after two minutes", tp)
		}
	}
	w.begun = true
	return nil
}

// peace ends all trouble, and waits until all is well.
func (w *world) peace() error {
	unlock := w.lock()
	w.calm = true
	unlock()
	w.release(w.broker.Heal)
	w.endTransactions()
	w.wg.Wait()
	for _, name := range []string{"t0", "t1"} {
		if w.topics[name] == 0 && (!w.s.Pattern || len(w.topics) == 0) { // a named one that is missing is a condition
			w.makeTopic(name, 1)
		}
	}
	for tp := range w.logs {
		w.broker.Repair(tp.Topic, tp.Partition)
	}
	for i, p := range w.processes {
		if p == nil {
			w.start(i)
		} else {
			p.runner.Resume()
		}
	}
	time.Sleep(30 * time.Second)
	for tp := range w.logs {
		w.produce(tp, 1, nil)
	}
	began := time.Now()
	for {
		time.Sleep(5 * time.Second)
		synctest.Wait()
		what := w.unsettled()
		if err := w.fault("peace"); err != nil {
			return err
		}
		if what == "" {
			break
		}
		if time.Since(began) > peaceBound {
			return fmt.Errorf("%v into peace: %s", time.Since(began), what)
		}
	}
	// And it stays well.
	for tp := range w.logs {
		w.produce(tp, 3, nil)
	}
	time.Sleep(90 * time.Second)
	synctest.Wait()
	if err := w.fault("a while of peace"); err != nil {
		return err
	}
	if what := w.unsettled(); what != "" {
		return fmt.Errorf("after a while of peace: %s", what)
	}
	if err := w.fill(); err != nil {
		return err
	}
	unlock = w.lock()
	w.harsh = false // from here on a stop is orderly
	unlock()
	return nil
}

// fill gives a partition more than memory has room for, but less than a batch: the handler must get it before
// the window ends.
func (w *world) fill() error {
	if !w.s.Fat || w.s.Window < 20 || w.s.Batch < 100 {
		return nil
	}
	tp := slices.MinFunc(slices.Collect(maps.Keys(w.logs)), func(a, b esm.TopicPartition) int { return strings.Compare(a.String(), b.String()) })
	unlock := w.lock()
	from := len(w.logs[tp].records)
	unlock()
	w.produce(tp, 100, nil)
	time.Sleep(15 * time.Second)
	synctest.Wait()
	unlock = w.lock()
	sent := w.busy[tp.String()] > 0 || slices.ContainsFunc(w.logs[tp].records[from:], func(r *record) bool { return r.resolved })
	unlock()
	if !sent {
		return fmt.Errorf("%v has had more than memory holds for 15s, and none of it was sent", tp)
	}
	time.Sleep(peaceBound)
	synctest.Wait()
	if err := w.fault("what was more than memory holds"); err != nil {
		return err
	}
	if what := w.unsettled(); what != "" {
		return fmt.Errorf("after more than memory holds: %s", what)
	}
	return nil
}

// unsettled returns what is not well, or "" if all is.
func (w *world) unsettled() string {
	for _, p := range w.processes {
		if p == nil {
			continue
		}
		if err := p.runner.Healthy(); err != nil {
			return fmt.Sprintf("%s: %v", p.name, err)
		}
		st := p.runner.Status()
		switch {
		case st.State != esm.Enabled:
			return fmt.Sprintf("%s: the state is %s", p.name, st.State)
		case st.CircuitOpen:
			return p.name + ": the circuit is open"
		case len(st.Conditions) > 0:
			return fmt.Sprintf("%s: %v", p.name, st.Conditions)
		}
		for _, q := range st.Partitions {
			if q.Paused != "" || q.Starting || q.Draining || q.Condition != nil {
				return fmt.Sprintf("%s: %v", p.name, q)
			}
		}
	}
	unlock := w.lock()
	defer unlock()
	for tp, h := range w.logs {
		if r := h.unresolved(); r != nil {
			return fmt.Sprintf("%s[%d] (id %d) is not resolved; committed %d", tp, r.offset, r.id, h.committed)
		}
	}
	for tp := range w.logs {
		if c, end := w.broker.Committed(group, tp.Topic, tp.Partition).Offset, w.broker.End(tp.Topic, tp.Partition); c != end {
			return fmt.Sprintf("%s is committed at %d, and ends at %d", tp, c, end)
		}
	}
	return ""
}
