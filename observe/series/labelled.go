package series

import (
	"maps"
	"slices"
	"time"

	"github.com/esm-go/esm/observe"
)

// Labelled is a series that may have several values, each with its own labels, or none.
type Labelled struct {
	Series
	// Rises reports whether it is a counter; otherwise it is a gauge.
	Rises bool
	// Labels are the names of the labels.
	Labels []string
	// Each calls put for each value, with the values of the labels in the order of their names. The order of the calls is
	// the same for the same Status.
	Each func(s *observe.Status, put func(v float64, values ...string))
}

// The labels of Labelled.
const (
	LabelTopic  = "topic"
	LabelReason = "reason"
	LabelState  = "state"
	LabelOp     = "op"
	LabelKind   = "kind"
	LabelDriver = "driver"
)

type put = func(v float64, values ...string)

// states lists all states.
var states = []observe.State{observe.Creating, observe.Enabling, observe.Enabled, observe.Disabling, observe.Disabled, observe.Updating}

// AllLabelled returns the series that have their own labels, or that sometimes have no value. Counters, Gauges and
// Histograms return the others.
func AllLabelled() []Labelled {
	return []Labelled{
		{
			Series{"retries", "{retry}", "Scheduled retries, by how the invocation before ended; one for each partition of a failed batch", ""}, true, []string{LabelReason},
			func(s *observe.Status, p put) {
				r := &s.Metrics.Retries
				p(float64(r.Failed), "failed")
				p(float64(r.Partial), "partial")
				p(float64(r.Throttled), "throttled")
				p(float64(r.Timeout), "timeout")
				p(float64(r.Panic), "panic")
			},
		},
		{
			Series{"info", "1", "Is 1; the label driver names the Kafka client", ""}, false, []string{LabelDriver},
			func(s *observe.Status, p put) { p(1, s.Driver) },
		},
		{
			Series{"state", "1", "Is 1 for the state that the mapping has, 0 for the others", ""}, false, []string{LabelState},
			func(s *observe.Status, p put) {
				for _, word := range states {
					p(Is(s.State == word), string(word))
				}
			},
		},
		{
			Series{"offset_lag", "{offset}", "End of the log minus committed offset, summed over this process's partitions of a topic", "OffsetLag"}, false, []string{LabelTopic},
			func(s *observe.Status, p put) {
				for _, topic := range slices.Sorted(maps.Keys(s.OffsetLag)) {
					p(float64(s.OffsetLag[topic]), topic)
				}
			},
		},
		{
			Series{"conditions", "{condition}", "Problems that last, by what fails and how", ""}, false, []string{LabelOp, LabelKind},
			standing,
		},
		{
			Series{"scaling_reason", "1", "Is 1; the label reason is that of the last decision of the scaling policy", ""}, false, []string{LabelReason},
			func(s *observe.Status, p put) {
				if s.Scaling.Policy != "" {
					p(1, s.Scaling.Reason.Kind.String())
				}
			},
		},
		{
			Series{"certificate_expiry_timestamp", "s", "When the client's certificate or the last CA expires; absent without certificates", ""}, false, nil,
			func(s *observe.Status, p put) { at(s.Credentials.Expires, p) },
		},
		{
			Series{"credentials_since_timestamp", "s", "When the credentials in use came into use", ""}, false, nil,
			func(s *observe.Status, p put) { at(s.Credentials.Since, p) },
		},
	}
}

// standing counts the conditions by operation and kind, so that the number of series does not grow with the number of
// conditions.
func standing(s *observe.Status, p put) {
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
		p(float64(n[w]), w.op, w.kind)
	}
}

// at puts a time in seconds, if it is known.
func at(t time.Time, p put) {
	if !t.IsZero() {
		p(float64(t.UnixMilli()) / 1000)
	}
}
