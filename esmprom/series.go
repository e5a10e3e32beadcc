package esmprom

import (
	"time"

	"github.com/esm-go/esm/observe"
	"github.com/esm-go/esm/observe/series"
	"github.com/prometheus/client_golang/prometheus"
)

// labels are those of every series.
var labels = []string{"function_name", "consumer_group", "uuid"}

func described(name, help string, more ...string) *prometheus.Desc {
	return prometheus.NewDesc("esm_"+name, help, append(labels[:len(labels):len(labels)], more...), nil)
}

var (
	info              = described("info", "Is 1; the label driver names the Kafka client.", "driver")
	state             = described("state", "Is 1 for the state that the mapping has, 0 for the others.", "state")
	offsetLag         = described("offset_lag", "Log end less committed offset, summed over this process's partitions of a topic.", "topic")
	conditions        = described("conditions", "What is wrong and goes on being wrong, by what was being done and how it fails.", "op", "kind")
	retried           = described("retries_total", "Parts of batches that were set down to be tried again, by what the try before ended with.", "reason")
	scalingReason     = described("scaling_reason", "Is 1; the label reason is that of the last decision of the scaling policy.", "reason")
	certificateExpiry = described("certificate_expiry_timestamp_seconds", "When the client's certificate or the last CA ends; absent without certificates.")
	credentialsSince  = described("credentials_since_timestamp_seconds", "When the credentials in use were put in force.")
)

var states = []observe.State{
	observe.Creating, observe.Enabling, observe.Enabled, observe.Disabling, observe.Disabled, observe.Updating,
}

// unit is what Prometheus' names end with.
var unit = map[string]string{"s": "_seconds", "By": "_bytes"}

// help ends with Lambda's name.
func help(s *series.Series) string {
	if s.AWS != "" {
		return s.Help + " (" + s.AWS + ")."
	}
	return s.Help + "."
}

// one is a series that is read, with its description.
type one[S any] struct {
	series S
	desc   *prometheus.Desc
}

func each[S any](all []S, of func(*S) *series.Series, suffix string) []one[S] {
	list := make([]one[S], len(all))
	for i := range all {
		s := of(&all[i])
		list[i] = one[S]{all[i], described(s.Name+unit[s.Unit]+suffix, help(s))}
	}
	return list
}

var (
	counters   = each(series.Counters(), func(c *series.Counter) *series.Series { return &c.Series }, "_total")
	gauges     = each(series.Gauges(), func(g *series.Gauge) *series.Series { return &g.Series }, "")
	histograms = each(series.Histograms(), func(h *series.Histogram) *series.Series { return &h.Series }, "")
	retries    = series.Retries()
)

func seconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }

// cumulative are the counts of a histogram as Prometheus has them: of all values up to each bound.
func cumulative(h *observe.Histogram) (upTo map[float64]uint64, all uint64) {
	upTo = make(map[float64]uint64, len(h.Bounds))
	for i, bound := range h.Bounds {
		all += h.Counts[i]
		upTo[bound] = all
	}
	return upTo, h.Count()
}
