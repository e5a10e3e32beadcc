package observe_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/esm-go/esm"
	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/internal/promtext"
	"github.com/esm-go/esm/observe/emf"
	"pgregory.net/rapid"
)

func scripts() *rapid.Generator[script] {
	return rapid.Custom(func(t *rapid.T) script {
		s := script{
			Seed: rapid.Uint64().Draw(t, "seed"), Partitions: rapid.IntRange(1, 4).Draw(t, "partitions"), Batch: rapid.SampledFrom([]int{1, 3, 10, 100}).Draw(t, "batch"),
			Window: rapid.IntRange(0, 2).Draw(t, "window"), Attempts: rapid.SampledFrom([]int{-1, 0, 1, 3}).Draw(t, "attempts"), Bisect: rapid.Bool().Draw(t, "bisect"),
			Partial: rapid.Bool().Draw(t, "partial"), Filter: rapid.Bool().Draw(t, "filter"), Destination: rapid.Bool().Draw(t, "destination"),
			Revocations: rapid.IntRange(0, 3).Draw(t, "revocations"), Reports: rapid.IntRange(0, 4).Draw(t, "reports"), Lost: rapid.IntRange(0, 20).Draw(t, "lost"),
		}
		s.Rounds = rapid.SliceOfN(rapid.Custom(func(t *rapid.T) round {
			return round{Partition: rapid.IntRange(0, 3).Draw(t, "partition") % s.Partitions, Records: rapid.IntRange(1, 25).Draw(t, "records"),
				Refused: max(0, rapid.IntRange(-3, 2).Draw(t, "refused")), Pause: time.Duration(rapid.IntRange(0, 3000).Draw(t, "ms")) * time.Millisecond}
		}), 2, 12).Draw(t, "rounds")
		if s.Attempts < 0 && !s.Destination { // else what fails for ever is given up
			s.Skips = rapid.IntRange(0, 2).Draw(t, "skips")
		}
		return s
	})
}

// Every value that a mapping exports is what really happened: in the text that Prometheus reads, and in the sums of CloudWatch's
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
		// Each has a test of its own: rotations, commits that are abandoned, circuits, certificates, slow invocations.
		own := []string{"credentials_rotations", "abandoned_commits", "circuit", "credentials", "slow", "paused", "failing", "conditions", "longest", "oldest", "destination_pending", "state"}
		if most[name] == 0 && !slices.ContainsFunc(own, func(o string) bool { return strings.Contains(name, o) }) && !strings.Contains(name, "_bucket") {
			t.Errorf("%s was never more than 0", name)
		}
	}
}

// play runs a script in the bubble that it is called in, and returns what was exported in the end.
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

// settle gives each partition a record more, and waits until the broker has commits at the ends of all.
func (w *world) settle() error {
	for p := range w.s.Partitions {
		w.produce(p, 1)
	}
	for range 600 {
		time.Sleep(time.Second)
		synctest.Wait()
		if w.broker.Lag(group) == 0 {
			time.Sleep(time.Minute) // Status has seen it, too
			return nil
		}
	}
	return fmt.Errorf("lag %d after ten minutes:\n%s", w.broker.Lag(group), w.runner.Status())
}

// heldUp has every call wait, and compares the lag that is exported then with the broker's.
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

// skip has a record fail for ever, and skips it.
func (w *world) skip() error {
	for range w.s.Skips {
		unlock := w.lock()
		w.poison = key(0)
		unlock()
		for range 2 { // the filter takes none of them out in most scripts
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

// lose has retention take records while the mapping is disabled.
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

// exported reads the text that Prometheus would, by name and labels but the mapping's own.
func exported(s promtext.Source) map[string]float64 {
	var text bytes.Buffer
	_ = promtext.Write(&text, []promtext.Source{s})
	values := make(map[string]float64)
	for line := range strings.Lines(text.String()) {
		name, rest, ok := strings.Cut(line, "{")
		if strings.HasPrefix(line, "#") || !ok {
			continue
		}
		of, value, _ := strings.Cut(rest, "} ")
		for label := range strings.SplitSeq(of, ",") {
			if k, v, _ := strings.Cut(label, "="); k != "function_name" && k != "consumer_group" && k != "uuid" {
				name += " " + k + "=" + strings.Trim(v, `"`)
			}
		}
		values[name], _ = strconv.ParseFloat(strings.TrimSpace(value), 64)
	}
	return values
}

func differences(got, want map[string]float64) error {
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if v, there := got[name]; !there || math.Abs(v-want[name]) > 1e-6 {
			errs = append(errs, fmt.Errorf("%s: %v (there: %t), and it was %v", name, v, there, want[name]))
		}
	}
	return errors.Join(errs...)
}

// counts is what happened, by the names that it is exported under.
func (w *world) counts() map[string]float64 {
	defer w.lock()()
	n := make(map[string]float64)
	total := 0
	for k, produced := range w.produced {
		total += produced
		for range w.filtered[k] {
			if w.s.Filter {
				n["esm_filtered_out_records_total"]++
			}
		}
		for _, kind := range w.filtered[k] {
			if w.s.Filter && kind == 2 {
				n["esm_wrong_kind_records_total"]++
			}
		}
	}
	handled := 0
	for i, c := range w.calls {
		records := 0
		for k, offsets := range c.records {
			records += len(offsets)
			switch c.ends {
			case succeeds:
				handled += len(offsets)
			case partial:
				handled += len(offsets) - len(c.failing[k])
			}
			if c.ends != succeeds && w.again(i+1, k, offsets) {
				n["esm_retries_total reason="+reasons[c.ends]]++
			}
		}
		n["esm_invoked_records_total"] += float64(records)
		n["esm_invocations_total"]++
		n["esm_invocation_duration_seconds_sum"] += c.took.Seconds()
		if c.ends != succeeds {
			n["esm_invoke_errors_total"]++
			n["esm_failed_invoke_records_total"] += float64(records)
		}
		if c.ends == throttled {
			n["esm_throttled_invocations_total"]++
		}
		if c.attempt == 1 {
			n["esm_window_wait_seconds_count"]++
		}
	}
	n["esm_batch_fill_sum"] = n["esm_invoked_records_total"] / float64(w.s.Batch)
	n["esm_batch_records_sum"] = n["esm_invoked_records_total"]
	n["esm_batch_records_count"], n["esm_batch_fill_count"] = n["esm_invocations_total"], n["esm_invocations_total"]
	n["esm_invocation_duration_seconds_count"] = n["esm_invocations_total"]
	n["esm_destination_delivered_records_total"], n["esm_destination_errors_total"] = float64(len(w.shelved)), float64(w.full)
	n["esm_polled_records_total"] = float64(total) - float64(w.lost)
	n["esm_lost_offsets_total"] = float64(w.lost)
	n["esm_skipped_records_total"] = float64(len(w.skipped))
	n["esm_dropped_records_total"] = n["esm_polled_records_total"] - n["esm_filtered_out_records_total"] - float64(handled) - float64(len(w.shelved))
	n["esm_committed_offsets_total"] = float64(w.commits)
	n["esm_commit_duration_seconds_count"], n["esm_commit_duration_seconds_sum"] = float64(w.requests), w.committing.Seconds()
	n["esm_destination_duration_seconds_count"] = float64(w.sends)
	n["esm_record_latency_seconds_count"] = n["esm_polled_records_total"] - n["esm_filtered_out_records_total"] - float64(len(w.skipped))
	n["esm_commit_errors_total"], n["esm_polling_errors_total"], n["esm_rebalances_total"] = float64(w.refused), float64(w.reported), float64(w.changes)
	n["esm_sum_offset_lag"], n["esm_max_offset_lag"], n["esm_offset_lag topic=t"] = 0, 0, 0
	return n
}

var reasons = map[int]string{fails: "failed", throttled: "throttled", panics: "panic", timesOut: "timeout", permanent: "failed", partial: "partial"}

// again reports whether one of some records was given to the handler again, in a call from the i-th on, or would have been, had
// nobody skipped it.
func (w *world) again(i int, k string, offsets []int64) bool {
	if k == key(0) && slices.ContainsFunc(offsets, func(o int64) bool { return slices.Contains(w.skipped, o) }) {
		return true
	}
	return slices.ContainsFunc(w.calls[i:], func(c *call) bool {
		return slices.ContainsFunc(c.records[k], func(o int64) bool { return slices.Contains(offsets, o) })
	})
}

// compare holds what is exported against what happened.
func (w *world) compare(got map[string]float64) error {
	want := w.counts()
	fill, calls := "esm_batch_fill_sum", want["esm_invocations_total"]
	if d := want[fill] - got[fill]; d < -1e-6 || d > calls/1000 { // it is kept in thousandths of a full batch, rounded down
		return fmt.Errorf("%s: %v, and it was %v", fill, got[fill], want[fill])
	}
	delete(want, fill)
	return differences(got, want)
}

// compareLines holds the sums of CloudWatch's lines against what happened.
func (w *world) compareLines(lines string) error {
	got := make(map[string]float64)
	for line := range strings.Lines(lines) {
		fields := make(map[string]any)
		if err := json.Unmarshal([]byte(line), &fields); err != nil {
			return err
		}
		for name, v := range fields {
			if v, ok := v.(float64); ok {
				got[name] += v
			}
		}
	}
	n := w.counts()
	want := make(map[string]float64)
	for name, series := range map[string]string{
		"PolledEventCount": "polled_records", "FilteredOutEventCount": "filtered_out_records", "InvokedEventCount": "invoked_records", "FailedInvokeEventCount": "failed_invoke_records",
		"DroppedEventCount": "dropped_records", "CommittedEventCount": "committed_offsets", "OnFailureDestinationDeliveredEventCount": "destination_delivered_records",
		"PollingErrorCount": "polling_errors", "CommitErrorCount": "commit_errors", "InvokeErrorCount": "invoke_errors", "OnFailureDestinationDeliveryErrorCount": "destination_errors",
	} {
		if want[name] = n["esm_"+series+"_total"]; want[name] == 0 && got[name] == 0 {
			delete(want, name) // an error that did not happen has no value
		}
	}
	return differences(got, want)
}
