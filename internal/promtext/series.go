package promtext

import (
	"maps"
	"slices"
	"time"

	"github.com/esm-go/esm/observe"
)

// families are every series, in the order in which they are written.
var families = []family{
	counter("polled_records_total", "Records read (PolledEventCount).", func(m *observe.Metrics) int64 { return m.PolledEventCount }),
	counter("filtered_out_records_total", "Records that FilterCriteria took out (FilteredOutEventCount).", func(m *observe.Metrics) int64 { return m.FilteredOutEventCount }),
	counter("wrong_kind_records_total", "Filtered records that were of the wrong kind for every pattern.", func(m *observe.Metrics) int64 { return m.WrongKindEventCount }),
	counter("invoked_records_total", "Records handed to the handler, again on each retry (InvokedEventCount).", func(m *observe.Metrics) int64 { return m.InvokedEventCount }),
	counter("failed_invoke_records_total", "Records whose invocation failed (FailedInvokeEventCount).", func(m *observe.Metrics) int64 { return m.FailedInvokeEventCount }),
	counter("dropped_records_total", "Records given up by age, retries or a permanent error, without an on-failure destination (DroppedEventCount).", func(m *observe.Metrics) int64 { return m.DroppedEventCount }),
	counter("skipped_records_total", "Records given up because somebody asked for it.", func(m *observe.Metrics) int64 { return m.SkippedEventCount }),
	counter("committed_offsets_total", "Sum of the steps of the committed offsets (CommittedEventCount).", func(m *observe.Metrics) int64 { return m.CommittedEventCount }),
	counter("polling_errors_total", "Errors of reading (PollingErrorCount).", func(m *observe.Metrics) int64 { return m.PollingErrorCount }),
	counter("commit_errors_total", "Errors of committing (CommitErrorCount).", func(m *observe.Metrics) int64 { return m.CommitErrorCount }),
	counter("invoke_errors_total", "Invocations that failed (InvokeErrorCount).", func(m *observe.Metrics) int64 { return m.InvokeErrorCount }),
	counter("invocations_total", "Invocations that ended.", func(m *observe.Metrics) int64 { return m.InvokeCount }),
	counter("throttled_invocations_total", "Invocations that said Throttled.", func(m *observe.Metrics) int64 { return m.ThrottleCount }),
	counter("lost_offsets_total", "Offsets that went before they were read: by retention, truncation or a topic made again.", func(m *observe.Metrics) int64 { return m.LostEventCount }),
	counter("abandoned_commits_total", "Commits that a revocation or a stop did not wait for any longer.", func(m *observe.Metrics) int64 { return m.AbandonedCommitCount }),
	counter("rebalances_total", "Changes of the assignment.", func(m *observe.Metrics) int64 { return m.RebalanceCount }),
	{"credentials_rotations_total", "How often other credentials took the place of the first ones.", "counter", func(s *observe.Status, p put) { p(float64(s.Credentials.Rotations)) }},
	gauge("max_offset_lag", "The largest offset lag of one of this process's partitions (MaxOffsetLag).", func(s *observe.Status) float64 { return float64(s.MaxOffsetLag) }),
	gauge("sum_offset_lag", "The offset lag of all of this process's partitions (SumOffsetLag).", func(s *observe.Status) float64 { return float64(s.SumOffsetLag) }),
	gauge("oldest_record_age_seconds", "Age of the oldest record that is not resolved, 0 when there is none.", func(s *observe.Status) float64 { return s.OldestAge.Seconds() }),
	gauge("pollers", "Members of the group in this process (ProvisionedPollers).", func(s *observe.Status) float64 { return float64(s.Pollers) }),
	gauge("workers", "Invocations that may run at a time.", func(s *observe.Status) float64 { return float64(s.Workers) }),
	gauge("target_workers", "Workers that the scaling policy asked for last.", func(s *observe.Status) float64 { return float64(s.Scaling.Target.Workers) }),
	gauge("target_pollers", "Pollers that the scaling policy asked for last.", func(s *observe.Status) float64 { return float64(s.Scaling.Target.Pollers) }),
	gauge("invocations_in_flight", "Invocations that run.", func(s *observe.Status) float64 { return float64(s.InFlight) }),
	gauge("buffered_bytes", "Memory of the records held.", func(s *observe.Status) float64 { return float64(s.BufferedBytes) }),
	gauge("buffer_limit_bytes", "Budget of the memory of the records held.", func(s *observe.Status) float64 { return float64(s.BufferLimit) }),
	gauge("circuit_open", "Is 1 while the circuit breaker has stopped the intake or tries it.", func(s *observe.Status) float64 { return is(s.CircuitOpen) }),
	gauge("credentials_refused", "Is 1 while the secret as it now stands is not used.", func(s *observe.Status) float64 { return is(s.Credentials.Err != nil) }),
	gauge("assigned_partitions", "Partitions assigned to this process.", func(s *observe.Status) float64 { return float64(len(s.Partitions)) }),
	gauge("paused_partitions", "Assigned partitions that are not fetched.", func(s *observe.Status) float64 {
		return those(s, func(p *observe.PartitionStatus) bool { return p.Paused != "" })
	}),
	gauge("failing_partitions", "Assigned partitions whose head record failed its last try.", func(s *observe.Status) float64 {
		return those(s, func(p *observe.PartitionStatus) bool { return p.Attempts > 0 })
	}),
	gauge("longest_invocation_seconds", "How long the longest of the running invocations runs, 0 when none runs.", func(s *observe.Status) float64 {
		return longest(s).Seconds()
	}),
	each("info", "Is 1; the label driver names the Kafka client.", func(s *observe.Status, p put) { p(1, "driver", s.Driver) }),
	each("state", "Is 1 for the state that the mapping has, 0 for the others.", func(s *observe.Status, p put) {
		for _, word := range states {
			p(is(s.State == word), "state", string(word))
		}
	}),
	each("offset_lag", "Log end less committed offset, summed over this process's partitions of a topic.", func(s *observe.Status, p put) {
		for _, topic := range slices.Sorted(maps.Keys(s.OffsetLag)) {
			p(float64(s.OffsetLag[topic]), "topic", topic)
		}
	}),
	each("conditions", "What is wrong and goes on being wrong, by what was being done and how it fails.", func(s *observe.Status, p put) {
		type what struct{ op, kind string }
		n := make(map[what]int)
		var order []what
		for i := range s.Conditions {
			w := what{string(s.Conditions[i].Op), s.Conditions[i].Kind}
			if n[w]++; n[w] == 1 {
				order = append(order, w)
			}
		}
		for _, w := range order {
			p(float64(n[w]), "op", w.op, "kind", w.kind)
		}
	}),
	each("certificate_expiry_timestamp_seconds", "When the client's certificate or the last CA ends; absent without certificates.", func(s *observe.Status, p put) {
		if t := s.Credentials.Expires; !t.IsZero() {
			p(seconds(t))
		}
	}),
	each("credentials_since_timestamp_seconds", "When the credentials in use were put in force.", func(s *observe.Status, p put) {
		if t := s.Credentials.Since; !t.IsZero() {
			p(seconds(t))
		}
	}),
}

var states = []observe.State{observe.Creating, observe.Enabling, observe.Enabled, observe.Disabling, observe.Disabled, observe.Updating}

func longest(s *observe.Status) time.Duration {
	var most time.Duration
	for i := range s.Partitions {
		if since := s.Partitions[i].InFlightSince; !since.IsZero() {
			most = max(most, time.Since(since))
		}
	}
	return most
}
