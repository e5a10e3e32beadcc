package esmprom

import (
	"github.com/esm-go/esm/observe"
	"github.com/prometheus/client_golang/prometheus"
)

// Source is a running mapping, such as an *esm.Runner.
type Source interface {
	Status() observe.Status
	Histograms() observe.Histograms
}

// Option changes what a Collector exports.
type Option func(*Collector)

// WithPartitions adds seven series for every partition assigned to this process, with the labels topic and partition.
// Default: none.
func WithPartitions() Option { return func(c *Collector) { c.partitions = true } }

// Collector is a prometheus.Collector of one or more mappings. It keeps nothing between scrapes, and may be scraped by
// several goroutines.
type Collector struct {
	sources    func() []Source
	partitions bool
}

var _ prometheus.Collector = (*Collector)(nil)

// New returns a Collector of one mapping.
func New(s Source, opts ...Option) *Collector {
	one := []Source{s}
	return NewOf(func() []Source { return one }, opts...)
}

// NewOf returns a Collector of the mappings that sources returns, for a process whose mappings come and go. It calls
// sources at each scrape, on the scrape's goroutine. Two mappings with the same function name, consumer group and UUID
// have the same series, which the registry reports as a scrape error.
func NewOf(sources func() []Source, opts ...Option) *Collector {
	c := &Collector{sources: sources}
	for _, o := range opts {
		o(c)
	}
	return c
}

// Describe sends the description of every series.
func (c *Collector) Describe(out chan<- *prometheus.Desc) {
	for i := range counters {
		out <- counters[i].desc
	}
	for i := range gauges {
		out <- gauges[i].desc
	}
	for i := range histograms {
		out <- histograms[i].desc
	}
	for i := range labelled {
		out <- labelled[i].desc
	}
	if c.partitions {
		for i := range partitionGauges {
			out <- partitionGauges[i].desc
		}
	}
}

// Collect sends the current values of every series.
func (c *Collector) Collect(out chan<- prometheus.Metric) {
	for _, s := range c.sources() {
		status, distributions := s.Status(), s.Histograms()
		c.collect(out, &status, &distributions)
	}
}

func (c *Collector) collect(out chan<- prometheus.Metric, s *observe.Status, d *observe.Histograms) {
	of := []string{s.FunctionName, s.ConsumerGroupId, s.UUID}
	with := func(more ...string) []string { return append(of[:len(of):len(of)], more...) }
	for i := range counters {
		out <- prometheus.MustNewConstMetric(counters[i].desc, prometheus.CounterValue, float64(counters[i].series.Of(s)), of...)
	}
	for i := range gauges {
		out <- prometheus.MustNewConstMetric(gauges[i].desc, prometheus.GaugeValue, gauges[i].series.Of(s), of...)
	}
	for i := range histograms {
		h := histograms[i].series.Of(d)
		upTo, all := cumulative(h)
		out <- prometheus.MustNewConstHistogram(histograms[i].desc, all, h.Sum, upTo, of...)
	}
	for i := range labelled {
		l := &labelled[i]
		l.series.Each(s, func(v float64, values ...string) {
			out <- prometheus.MustNewConstMetric(l.desc, l.kind, v, with(values...)...)
		})
	}
	if c.partitions {
		c.collectPartitions(out, s, with)
	}
}
