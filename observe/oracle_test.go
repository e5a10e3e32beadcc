package observe_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/esm-go/esm"
	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/observe/emf"
)

// Every exported value matches what really happened, in the text that Prometheus reads and in the sums of CloudWatch's
// lines. Over all scripts no counter stays zero.
func TestExportedIsWhatHappened(t *testing.T) {
	all, most := scripts(), make(map[string]float64)
	for seed := range 60 {
		s := all.Example(seed + 1)
		var err error
		var got map[string]float64
		synctest.Test(t, func(*testing.T) { got, err = play(s) })
		if err != nil {
			t.Errorf("seed %d: %v\n%+v", seed, err, s)
		}
		for name, v := range got {
			most[name] = max(most[name], v)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(most)) {
		// These have their own tests: rotations, abandoned commits, circuits, certificates, slow invocations.
		own := []string{"credentials_rotations", "abandoned_commits", "circuit", "credentials", "slow", "paused", "failing", "conditions", "longest", "oldest", "destination_pending", "state"}
		if most[name] == 0 && !slices.ContainsFunc(own, func(o string) bool { return strings.Contains(name, o) }) && !strings.Contains(name, "_bucket") {
			t.Errorf("%s was never more than 0", name)
		}
	}
}

// play runs a script in the caller's bubble, and returns what was exported at the end.
func play(s script) (got map[string]float64, err error) {
	w := newWorld(s)
	if w.runner, err = esm.New(w.mapping(), w.handle, append(w.options(), esm.WithLogger(slog.New(slog.DiscardHandler)))...); err != nil {
		return nil, err
	}
	var lines bytes.Buffer
	cloudwatch, err := emf.New(&lines, w.runner, emf.Config{Metrics: []string{"EventCount", "ErrorCount", "KafkaMetrics"}})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- w.runner.Run(ctx) }()
	<-w.runner.Ready()
	err = w.play(func() error { return cloudwatch.Write() })
	got = exported(w.runner)
	if err == nil {
		defer func() {
			for name, v := range w.seen {
				got[name] = max(got[name], v)
			}
		}()
		err = errors.Join(w.compare(got), cloudwatch.Write(), w.compareLines(lines.String()))
	}
	cancel()
	return got, errors.Join(err, <-ended)
}

func (w *world) play(minute func() error) error {
	for _, r := range w.s.Rounds {
		if r.Refused > 0 {
			w.refused += r.Refused
			w.broker.Fail("commit", r.Refused, &driver.Error{Kind: driver.KindUnavailable, Offset: -1, Err: errors.New("script")})
		}
		w.produce(r.Partition, r.Records)
		time.Sleep(r.Pause)
		if err := minute(); err != nil {
			return err
		}
	}
	unlock := w.lock()
	w.calm = true
	unlock()
	for _, step := range []func() error{w.settle, w.heldUp, w.settle, minute, w.revoke, w.settle, w.report, w.skip, w.settle, w.lose, w.settle} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// settle produces one more record to each partition, and waits until the broker has commits at the ends of all.
func (w *world) settle() error {
	for p := range w.s.Partitions {
		w.produce(p, 1)
	}
	for range 600 {
		time.Sleep(time.Second)
		synctest.Wait()
		if w.broker.Lag(group) == 0 {
			time.Sleep(time.Minute) // so that Status shows it too
			return nil
		}
	}
	return fmt.Errorf("lag %d after ten minutes:\n%s", w.broker.Lag(group), w.runner.Status())
}

// heldUp makes every call wait, and compares the exported lag with the broker's.
func (w *world) heldUp() error {
	unlock := w.lock()
	w.hold = make(chan struct{})
	unlock()
	defer func() {
		defer w.lock()()
		close(w.hold)
		w.hold = nil
	}()
	for p := range w.s.Partitions {
		w.produce(p, 5*p+4)
	}
	time.Sleep(time.Minute)
	synctest.Wait()
	unlock = w.lock()
	running := 0
	for _, c := range w.calls {
		if !c.returned {
			running++
		}
	}
	unlock()
	most, sum := int64(0), int64(0)
	for p := range w.s.Partitions {
		lag := w.broker.End("t", int32(p)) - w.broker.Committed(group, "t", int32(p)).Offset
		most, sum = max(most, lag), sum+lag
	}
	w.seen = exported(w.runner)
	return differences(w.seen, map[string]float64{
		"esm_offset_lag topic=t": float64(sum), "esm_sum_offset_lag": float64(sum), "esm_max_offset_lag": float64(most), "esm_invocations_in_flight": float64(running),
		"esm_pollers": 1, "esm_assigned_partitions": float64(w.s.Partitions), "esm_state state=Enabled": 1, "esm_state state=Disabled": 0,
	})
}

func (w *world) revoke() error {
	for range w.s.Revocations {
		w.broker.Revoke()
		time.Sleep(10 * time.Second)
	}
	return nil
}

func (w *world) report() error {
	for i := range w.s.Reports {
		w.broker.Report("", &driver.Error{Kind: driver.KindOther, Offset: -1, Err: fmt.Errorf("report %d", i)})
		time.Sleep(time.Second)
	}
	return nil
}

// skip makes a record fail forever, and skips it.
func (w *world) skip() error {
	for range w.s.Skips {
		unlock := w.lock()
		w.poison = key(0)
		unlock()
		for range 2 { // in most scripts the filter removes none of them
			w.produce(0, 1)
			time.Sleep(10 * time.Second)
		}
		st := w.runner.Status()
		if p := &st.Partitions[0]; p.Attempts > 0 {
			unlock = w.lock()
			w.skipped = append(w.skipped, p.Position)
			unlock()
			if err := w.runner.Skip(context.Background(), p.TopicPartition, p.Position); err != nil {
				return err
			}
		}
		unlock = w.lock()
		w.poison = ""
		unlock()
		time.Sleep(time.Minute)
	}
	return nil
}

// lose lets retention remove records while the mapping is disabled.
func (w *world) lose() error {
	if w.s.Lost == 0 {
		return nil
	}
	w.runner.Pause()
	for w.runner.Status().State != esm.Disabled {
		time.Sleep(time.Second)
	}
	w.produce(0, w.s.Lost)
	unlock := w.lock()
	w.lost += int64(w.s.Lost)
	for offset := range w.filtered[key(0)] {
		if offset >= int64(w.produced[key(0)]-w.s.Lost) {
			delete(w.filtered[key(0)], offset)
		}
	}
	unlock()
	w.broker.DeleteRecords("t", 0, w.broker.End("t", 0))
	w.produce(0, 1)
	w.runner.Resume()
	return nil
}
