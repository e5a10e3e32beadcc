package esmprom

import (
	"time"

	"github.com/esm-go/esm/observe"
	"github.com/prometheus/client_golang/prometheus"
)

// labels are those of every series.
var labels = []string{"function_name", "consumer_group", "uuid"}

func series(name, help string, more ...string) *prometheus.Desc {
	return prometheus.NewDesc("esm_"+name, help, append(labels[:len(labels):len(labels)], more...), nil)
}

var (
	info              = series("info", "Is 1; the label driver names the Kafka client.", "driver")
	state             = series("state", "Is 1 for the state that the mapping has, 0 for the others.", "state")
	offsetLag         = series("offset_lag", "Log end less committed offset, summed over this process's partitions of a topic.", "topic")
	conditions        = series("conditions", "What is wrong and goes on being wrong, by what was being done and how it fails.", "op", "kind")
	certificateExpiry = series("certificate_expiry_timestamp_seconds", "When the client's certificate or the last CA ends; absent without certificates.")
	credentialsSince  = series("credentials_since_timestamp_seconds", "When the credentials in use were put in force.")
)

var states = []observe.State{
	observe.Creating, observe.Enabling, observe.Enabled, observe.Disabling, observe.Disabled, observe.Updating,
}

type counter struct {
	desc *prometheus.Desc
	of   func(*observe.Status, *observe.Metrics) int64
}

func count(name, help string, of func(*observe.Metrics) int64) counter {
	return counter{series(name, help), func(_ *observe.Status, m *observe.Metrics) int64 { return of(m) }}
}

var counters = []counter{
	count("polled_records_total", "Records read (PolledEventCount).", func(m *observe.Metrics) int64 { return m.PolledEventCount }),
	count("filtered_out_records_total", "Records that FilterCriteria took out (FilteredOutEventCount).", func(m *observe.Metrics) int64 { return m.FilteredOutEventCount }),
	count("wrong_kind_records_total", "Filtered records that were of the wrong kind for every pattern.", func(m *observe.Metrics) int64 { return m.WrongKindEventCount }),
	count("invoked_records_total", "Records handed to the handler, again on each retry (InvokedEventCount).", func(m *observe.Metrics) int64 { return m.InvokedEventCount }),
	count("failed_invoke_records_total", "Records whose invocation failed (FailedInvokeEventCount).", func(m *observe.Metrics) int64 { return m.FailedInvokeEventCount }),
	count("dropped_records_total", "Records given up by age, retries or a permanent error (DroppedEventCount).", func(m *observe.Metrics) int64 { return m.DroppedEventCount }),
	count("skipped_records_total", "Records given up because somebody asked for it (SkippedEventCount).", func(m *observe.Metrics) int64 { return m.SkippedEventCount }),
	count("committed_offsets_total", "Sum of the steps of the committed offsets (CommittedEventCount).", func(m *observe.Metrics) int64 { return m.CommittedEventCount }),
	count("polling_errors_total", "Errors of reading (PollingErrorCount).", func(m *observe.Metrics) int64 { return m.PollingErrorCount }),
	count("commit_errors_total", "Errors of committing (CommitErrorCount).", func(m *observe.Metrics) int64 { return m.CommitErrorCount }),
	count("invoke_errors_total", "Invocations that failed (InvokeErrorCount).", func(m *observe.Metrics) int64 { return m.InvokeErrorCount }),
	count("invocations_total", "Invocations that ended.", func(m *observe.Metrics) int64 { return m.InvokeCount }),
	count("throttled_invocations_total", "Invocations that said Throttled.", func(m *observe.Metrics) int64 { return m.ThrottleCount }),
	count("lost_offsets_total", "Offsets that went before they were read: by retention, truncation or a topic made again.", func(m *observe.Metrics) int64 { return m.LostEventCount }),
	count("abandoned_commits_total", "Commits that a revocation or a stop did not wait for any longer.", func(m *observe.Metrics) int64 { return m.AbandonedCommitCount }),
	count("rebalances_total", "Changes of the assignment.", func(m *observe.Metrics) int64 { return m.RebalanceCount }),
	{
		series("credentials_rotations_total", "How often other credentials took the place of the first ones."),
		func(s *observe.Status, _ *observe.Metrics) int64 { return int64(s.Credentials.Rotations) },
	},
}

type gauge struct {
	desc *prometheus.Desc
	of   func(*observe.Status) float64
}

var gauges = []gauge{
	{series("max_offset_lag", "The largest offset lag of one of this process's partitions (MaxOffsetLag)."), func(s *observe.Status) float64 { return float64(s.MaxOffsetLag) }},
	{series("sum_offset_lag", "The offset lag of all of this process's partitions (SumOffsetLag)."), func(s *observe.Status) float64 { return float64(s.SumOffsetLag) }},
	{series("oldest_record_age_seconds", "Age of the oldest record that is not resolved, 0 when there is none."), func(s *observe.Status) float64 { return s.OldestAge.Seconds() }},
	{series("pollers", "Members of the group in this process (ProvisionedPollers)."), func(s *observe.Status) float64 { return float64(s.Pollers) }},
	{series("workers", "Invocations that may run at a time."), func(s *observe.Status) float64 { return float64(s.Workers) }},
	{series("target_workers", "Workers that the scaling policy asked for last."), func(s *observe.Status) float64 { return float64(s.Scaling.Target.Workers) }},
	{series("target_pollers", "Pollers that the scaling policy asked for last."), func(s *observe.Status) float64 { return float64(s.Scaling.Target.Pollers) }},
	{series("invocations_in_flight", "Invocations that run."), func(s *observe.Status) float64 { return float64(s.InFlight) }},
	{series("buffered_bytes", "Memory of the records held."), func(s *observe.Status) float64 { return float64(s.BufferedBytes) }},
	{series("buffer_limit_bytes", "Budget of the memory of the records held."), func(s *observe.Status) float64 { return float64(s.BufferLimit) }},
	{series("circuit_open", "Is 1 while the circuit breaker has stopped the intake or tries it."), func(s *observe.Status) float64 { return is(s.CircuitOpen) }},
	{series("credentials_refused", "Is 1 while the secret as it now stands is not used."), func(s *observe.Status) float64 { return is(s.Credentials.Err != nil) }},
	{series("assigned_partitions", "Partitions assigned to this process."), func(s *observe.Status) float64 { return float64(len(s.Partitions)) }},
	{series("paused_partitions", "Assigned partitions that are not fetched."), func(s *observe.Status) float64 {
		return those(s, func(p *observe.PartitionStatus) bool { return p.Paused != "" })
	}},
	{series("failing_partitions", "Assigned partitions whose head record failed its last try."), func(s *observe.Status) float64 {
		return those(s, func(p *observe.PartitionStatus) bool { return p.Attempts > 0 })
	}},
	{series("longest_invocation_seconds", "How long the longest of the running invocations runs, 0 when none runs."), func(s *observe.Status) float64 {
		return longest(s).Seconds()
	}},
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

func is(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func seconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }
