// Package series lists the series that a mapping exports, each with its name, unit and help text, and with a function that reads
// it from Status or Histograms. All exporters use this list, so they export the same series.
package series

import (
	"time"

	"github.com/esm-go/esm/observe"
)

// Series is one series of a mapping.
type Series struct {
	// Name is lower-case words joined by underscores, without the unit. Unit is in UCUM: s, By, 1, or the counted thing in
	// braces.
	Name, Unit string
	// Help describes it. AWS is Lambda's name for it; empty if Lambda has none.
	Help, AWS string
}

// Counter is a series that only rises while a mapping runs.
type Counter struct {
	Series
	Of func(*observe.Status) int64
}

// Gauge is a series that rises and falls.
type Gauge struct {
	Series
	Of func(*observe.Status) float64
}

// Histogram is a series that is a distribution.
type Histogram struct {
	Series
	Of func(*observe.Histograms) *observe.Histogram
}

func count(name, unit, aws, help string, of func(*observe.Metrics) int64) Counter {
	return Counter{Series{name, "{" + unit + "}", help, aws}, func(s *observe.Status) int64 { return of(&s.Metrics) }}
}

// Counters returns the counters without their own labels.
func Counters() []Counter {
	return []Counter{
		count("polled_records", "record", "PolledEventCount", "Records read", func(m *observe.Metrics) int64 { return m.PolledEventCount }),
		count("filtered_out_records", "record", "FilteredOutEventCount", "Records that FilterCriteria filtered out", func(m *observe.Metrics) int64 { return m.FilteredOutEventCount }),
		count("wrong_kind_records", "record", "", "Filtered records that were of the wrong kind for every pattern", func(m *observe.Metrics) int64 { return m.WrongKindEventCount }),
		count("invoked_records", "record", "InvokedEventCount", "Records handed to the handler, again on each retry", func(m *observe.Metrics) int64 { return m.InvokedEventCount }),
		count("failed_invoke_records", "record", "FailedInvokeEventCount", "Records whose invocation failed", func(m *observe.Metrics) int64 { return m.FailedInvokeEventCount }),
		count("dropped_records", "record", "DroppedEventCount", "Records given up by age, retries or a permanent error, without an on-failure destination", func(m *observe.Metrics) int64 { return m.DroppedEventCount }),
		count("skipped_records", "record", "", "Records given up by Runner.Skip", func(m *observe.Metrics) int64 { return m.SkippedEventCount }),
		count("destination_delivered_records", "record", "OnFailureDestinationDeliveredEventCount", "Records that the on-failure destination has acknowledged", func(m *observe.Metrics) int64 { return m.OnFailureDestinationDeliveredEventCount }),
		count("destination_errors", "error", "OnFailureDestinationDeliveryErrorCount", "Sends to the on-failure destination that failed", func(m *observe.Metrics) int64 { return m.OnFailureDestinationDeliveryErrorCount }),
		count("committed_offsets", "offset", "CommittedEventCount", "How far the committed offsets have moved, summed over the partitions", func(m *observe.Metrics) int64 { return m.CommittedEventCount }),
		count("polling_errors", "error", "PollingErrorCount", "Errors of reading", func(m *observe.Metrics) int64 { return m.PollingErrorCount }),
		count("commit_errors", "error", "CommitErrorCount", "Errors of committing", func(m *observe.Metrics) int64 { return m.CommitErrorCount }),
		count("invoke_errors", "error", "InvokeErrorCount", "Invocations that failed", func(m *observe.Metrics) int64 { return m.InvokeErrorCount }),
		count("invocations", "invocation", "", "Invocations that ended", func(m *observe.Metrics) int64 { return m.InvokeCount }),
		count("throttled_invocations", "invocation", "", "Invocations that ended with Throttled", func(m *observe.Metrics) int64 { return m.ThrottleCount }),
		count("lost_offsets", "offset", "", "Offsets that were gone before they were read: by retention, truncation or a topic that was created again", func(m *observe.Metrics) int64 { return m.LostEventCount }),
		count("abandoned_commits", "commit", "", "Commits that took longer than a revocation or a stop waits", func(m *observe.Metrics) int64 { return m.AbandonedCommitCount }),
		count("rebalances", "rebalance", "", "Changes of the assignment", func(m *observe.Metrics) int64 { return m.RebalanceCount }),
		{
			Series{"credentials_rotations", "{rotation}", "How often the credentials were replaced", ""},
			func(s *observe.Status) int64 { return int64(s.Credentials.Rotations) },
		},
	}
}

func gauge(name, unit, aws, help string, of func(*observe.Status) float64) Gauge {
	return Gauge{Series{name, unit, help, aws}, of}
}

// Gauges returns the gauges without their own labels.
func Gauges() []Gauge {
	return []Gauge{
		gauge("max_offset_lag", "{offset}", "MaxOffsetLag", "The largest offset lag of one of this process's partitions", func(s *observe.Status) float64 { return float64(s.MaxOffsetLag) }),
		gauge("sum_offset_lag", "{offset}", "SumOffsetLag", "The offset lag of all of this process's partitions", func(s *observe.Status) float64 { return float64(s.SumOffsetLag) }),
		gauge("oldest_record_age", "s", "", "Age of the oldest unresolved record, 0 when there is none", func(s *observe.Status) float64 { return s.OldestAge.Seconds() }),
		gauge("pollers", "{poller}", "ProvisionedPollers", "Members of the group in this process", func(s *observe.Status) float64 { return float64(s.Pollers) }),
		gauge("workers", "{worker}", "", "Invocations that may run at a time", func(s *observe.Status) float64 { return float64(s.Workers) }),
		gauge("target_workers", "{worker}", "", "Workers that the scaling policy asked for last", func(s *observe.Status) float64 { return float64(s.Scaling.Target.Workers) }),
		gauge("target_pollers", "{poller}", "", "Pollers that the scaling policy asked for last", func(s *observe.Status) float64 { return float64(s.Scaling.Target.Pollers) }),
		gauge("invocations_in_flight", "{invocation}", "", "Running invocations", func(s *observe.Status) float64 { return float64(s.InFlight) }),
		gauge("slow_invocations", "{invocation}", "", "Running invocations that have taken far longer than earlier ones", func(s *observe.Status) float64 { return float64(len(s.Slow)) }),
		gauge("buffered", "By", "", "Memory of the buffered records", func(s *observe.Status) float64 { return float64(s.BufferedBytes) }),
		gauge("buffer_limit", "By", "", "Budget for the memory of the buffered records", func(s *observe.Status) float64 { return float64(s.BufferLimit) }),
		gauge("circuit_open", "1", "", "Is 1 while the circuit breaker is open or half-open", func(s *observe.Status) float64 { return Is(s.CircuitOpen) }),
		gauge("credentials_refused", "1", "", "Is 1 while the newest secret is not used", func(s *observe.Status) float64 { return Is(s.Credentials.Err != nil) }),
		gauge("credentials_age", "s", "", "How long the credentials have been in use, 0 without any", func(s *observe.Status) float64 {
			if s.Credentials.Since.IsZero() {
				return 0
			}
			return time.Since(s.Credentials.Since).Seconds()
		}),
		gauge("destination_pending", "{batch}", "", "Parts of batches that wait for the on-failure destination", func(s *observe.Status) float64 { return float64(s.Destination.Pending) }),
		gauge("destination_failing", "{batch}", "", "Parts of batches whose last send to the on-failure destination failed", func(s *observe.Status) float64 { return float64(s.Destination.Failing) }),
		gauge("assigned_partitions", "{partition}", "", "Partitions assigned to this process", func(s *observe.Status) float64 { return float64(len(s.Partitions)) }),
		gauge("paused_partitions", "{partition}", "", "Assigned partitions that are not fetched", func(s *observe.Status) float64 {
			return those(s, func(p *observe.PartitionStatus) bool { return p.Paused != "" })
		}),
		gauge("failing_partitions", "{partition}", "", "Assigned partitions whose head record failed its last try", func(s *observe.Status) float64 {
			return those(s, func(p *observe.PartitionStatus) bool { return p.Attempts > 0 })
		}),
		gauge("longest_invocation", "s", "", "Running time of the longest running invocation, 0 when none runs", func(s *observe.Status) float64 { return longest(s).Seconds() }),
	}
}

// Histograms returns all histograms.
func Histograms() []Histogram {
	return []Histogram{
		{Series{"invocation_duration", "s", "How long invocations took", ""}, func(h *observe.Histograms) *observe.Histogram { return &h.InvocationDuration }},
		{Series{"batch_records", "{record}", "Records of an invocation", ""}, func(h *observe.Histograms) *observe.Histogram { return &h.BatchRecords }},
		{Series{"batch_fill", "1", "Records of an invocation divided by BatchSize", ""}, func(h *observe.Histograms) *observe.Histogram { return &h.BatchFill }},
		{Series{"window_wait", "s", "How long the oldest record of a batch was buffered before the first invocation", ""}, func(h *observe.Histograms) *observe.Histogram { return &h.WindowWait }},
		{Series{"record_latency", "s", "Time from a record's timestamp until it is resolved", ""}, func(h *observe.Histograms) *observe.Histogram { return &h.Latency }},
		{Series{"commit_duration", "s", "How long commits took", ""}, func(h *observe.Histograms) *observe.Histogram { return &h.CommitDuration }},
		{Series{"rebalance_duration", "s", "Time from the first notice of a change of the assignment until every assigned partition has started", ""}, func(h *observe.Histograms) *observe.Histogram { return &h.RebalanceDuration }},
		{Series{"destination_duration", "s", "Time from giving records up until the on-failure destination acknowledged them", ""}, func(h *observe.Histograms) *observe.Histogram { return &h.DestinationDuration }},
	}
}

func those(s *observe.Status, has func(*observe.PartitionStatus) bool) float64 {
	n := 0
	for i := range s.Partitions {
		if has(&s.Partitions[i]) {
			n++
		}
	}
	return float64(n)
}

func longest(s *observe.Status) time.Duration {
	var most time.Duration
	for i := range s.Partitions {
		if since := s.Partitions[i].InFlightSince; !since.IsZero() {
			most = max(most, time.Since(since))
		}
	}
	return most
}

// Is returns 1 for true, 0 for false.
func Is(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
