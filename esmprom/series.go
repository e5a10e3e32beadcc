package esmprom

import (
	"github.com/esm-go/esm/observe"
	"github.com/esm-go/esm/observe/series"
	"github.com/prometheus/client_golang/prometheus"
)

// labels are the labels of every series.
var labels = []string{"function_name", "consumer_group", "uuid"}

func described(name, help string, more ...string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, append(labels[:len(labels):len(labels)], more...), nil)
}

// one is a series with its description.
type one[S any] struct {
	series S
	desc   *prometheus.Desc
	kind   prometheus.ValueType
}

func each[S any](all []S, kind prometheus.ValueType, of func(*S) *series.Series) []one[S] {
	list := make([]one[S], len(all))
	for i := range all {
		s := of(&all[i])
		list[i] = one[S]{all[i], described(s.PrometheusName("esm_", kind == prometheus.CounterValue), s.Sentence()), kind}
	}
	return list
}

var (
	counters   = each(series.Counters(), prometheus.CounterValue, func(c *series.Counter) *series.Series { return &c.Series })
	gauges     = each(series.Gauges(), prometheus.GaugeValue, func(g *series.Gauge) *series.Series { return &g.Series })
	histograms = each(series.Histograms(), prometheus.UntypedValue, func(h *series.Histogram) *series.Series { return &h.Series })
	labelled   = allLabelled()
)

func allLabelled() []one[series.Labelled] {
	all := series.AllLabelled()
	list := make([]one[series.Labelled], len(all))
	for i := range all {
		l := &all[i]
		kind := prometheus.GaugeValue
		if l.Rises {
			kind = prometheus.CounterValue
		}
		list[i] = one[series.Labelled]{*l, described(l.PrometheusName("esm_", l.Rises), l.Sentence(), l.Labels...), kind}
	}
	return list
}

// cumulative returns a histogram's counts in Prometheus's form: of all values up to each bound.
func cumulative(h *observe.Histogram) (upTo map[float64]uint64, all uint64) {
	upTo = make(map[float64]uint64, len(h.Bounds))
	for i, bound := range h.Bounds {
		all += h.Counts[i]
		upTo[bound] = all
	}
	return upTo, h.Count()
}
