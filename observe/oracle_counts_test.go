package observe_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/esm-go/esm/internal/promtext"
)

// exported returns the samples that Prometheus would read, by name and labels, without the mapping's own labels.
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

// counts returns what happened, by the exported names.
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

// again reports whether one of some records was passed to the handler again, in the i-th call or later, or would have
// been if it had not been skipped.
func (w *world) again(i int, k string, offsets []int64) bool {
	if k == key(0) && slices.ContainsFunc(offsets, func(o int64) bool { return slices.Contains(w.skipped, o) }) {
		return true
	}
	return slices.ContainsFunc(w.calls[i:], func(c *call) bool {
		return slices.ContainsFunc(c.records[k], func(o int64) bool { return slices.Contains(offsets, o) })
	})
}

// compare checks what is exported against what happened.
func (w *world) compare(got map[string]float64) error {
	want := w.counts()
	fill, calls := "esm_batch_fill_sum", want["esm_invocations_total"]
	if d := want[fill] - got[fill]; d < -1e-6 || d > calls/1000 { // the engine counts thousandths of a full batch, rounded down
		return fmt.Errorf("%s: %v, and it was %v", fill, got[fill], want[fill])
	}
	delete(want, fill)
	return differences(got, want)
}

// compareLines checks the sums of CloudWatch's lines against what happened.
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
