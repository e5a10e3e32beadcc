// Package promtext writes the metrics of mappings in Prometheus' text format, version 0.0.4, for programs that do not link
// Prometheus' client. The series are those of package observe/series, as package esmprom exports them; its tests compare the two.
package promtext

import (
	"bytes"
	"io"
	"strconv"
	"strings"

	"github.com/esm-go/esm/observe"
	"github.com/esm-go/esm/observe/series"
)

// ContentType is the Content-Type of an answer with this text.
const ContentType = "text/plain; version=0.0.4; charset=utf-8"

// Source is one mapping that runs. *esm.Runner is one.
type Source interface {
	Status() observe.Status
	Histograms() observe.Histograms
}

// Write writes the series of mappings. Of those with the same function name, consumer group and UUID, which Prometheus cannot
// tell apart, it writes the first.
func Write(to io.Writer, sources []Source) error {
	var b bytes.Buffer
	all := read(sources)
	each(&b, all, series.Counters(), "counter", func(c *series.Counter) *series.Series { return &c.Series }, func(c *series.Counter, m *mapping) {
		m.sample(&b, c.PrometheusName(prefix, true), float64(c.Of(&m.status)), nil, nil)
	})
	each(&b, all, series.Gauges(), "gauge", func(g *series.Gauge) *series.Series { return &g.Series }, func(g *series.Gauge, m *mapping) {
		m.sample(&b, g.PrometheusName(prefix, false), g.Of(&m.status), nil, nil)
	})
	for _, l := range series.AllLabelled() {
		name, kind := l.PrometheusName(prefix, l.Rises), "gauge"
		if l.Rises {
			kind = "counter"
		}
		headed := false
		for i := range all {
			l.Each(&all[i].status, func(v float64, values ...string) {
				if !headed { // a name without a value is left out
					headed = true
					head(&b, name, &l.Series, kind)
				}
				all[i].sample(&b, name, v, l.Labels, values)
			})
		}
	}
	each(&b, all, series.Histograms(), "histogram", func(h *series.Histogram) *series.Series { return &h.Series }, func(h *series.Histogram, m *mapping) {
		m.histogram(&b, h.PrometheusName(prefix, false), h.Of(&m.histograms))
	})
	_, err := to.Write(b.Bytes())
	return err
}

const prefix = "esm_"

// mapping is what was read of one mapping.
type mapping struct {
	status     observe.Status
	histograms observe.Histograms
	// labels are its own, escaped and joined by commas.
	labels string
}

func read(sources []Source) []mapping {
	all := make([]mapping, 0, len(sources))
	known := make(map[string]bool, len(sources))
	for _, source := range sources {
		s := source.Status()
		m := mapping{status: s, labels: label("function_name", s.FunctionName) + "," + label("consumer_group", s.ConsumerGroupId) + "," + label("uuid", s.UUID)}
		if known[m.labels] {
			continue
		}
		known[m.labels] = true
		m.histograms = source.Histograms()
		all = append(all, m)
	}
	return all
}

// each writes every series of a list, with its head and the samples of every mapping.
func each[S any](b *bytes.Buffer, all []mapping, list []S, kind string, of func(*S) *series.Series, samples func(*S, *mapping)) {
	if len(all) == 0 {
		return
	}
	for i := range list {
		s := of(&list[i])
		head(b, s.PrometheusName(prefix, kind == "counter"), s, kind)
		for k := range all {
			samples(&list[i], &all[k])
		}
	}
}

func head(b *bytes.Buffer, name string, s *series.Series, kind string) {
	b.WriteString("# HELP " + name + " " + escapeHelp.Replace(s.Sentence()) + "\n# TYPE " + name + " " + kind + "\n")
}

var (
	escapeHelp  = strings.NewReplacer(`\`, `\\`, "\n", `\n`)
	escapeLabel = strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`)
)

func label(name, value string) string {
	return name + `="` + escapeLabel.Replace(strings.ToValidUTF8(value, "\uFFFD")) + `"`
}

// sample writes one line.
func (m *mapping) sample(b *bytes.Buffer, name string, v float64, labels, values []string) {
	b.WriteString(name + "{" + m.labels)
	for i := range labels {
		b.WriteString("," + label(labels[i], values[i]))
	}
	b.WriteString("} " + number(v) + "\n")
}

// histogram writes the buckets, the sum and the count. A bucket of Prometheus has all values up to its bound.
func (m *mapping) histogram(b *bytes.Buffer, name string, h *observe.Histogram) {
	upTo := uint64(0)
	for i, bound := range h.Bounds {
		upTo += h.Counts[i]
		m.sample(b, name+"_bucket", float64(upTo), []string{"le"}, []string{number(bound)})
	}
	count := float64(h.Count())
	m.sample(b, name+"_bucket", count, []string{"le"}, []string{"+Inf"})
	m.sample(b, name+"_sum", h.Sum, nil, nil)
	m.sample(b, name+"_count", count, nil, nil)
}

func number(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }
