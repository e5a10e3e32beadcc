// Package emf writes a mapping's metrics as lines of CloudWatch's embedded metric format, under Lambda's names.
// CloudWatch turns them into metrics when logs are shipped to it.
package emf

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/esm-go/esm/mapping"
	"github.com/esm-go/esm/observe"
)

// Source is a running mapping, such as an *esm.Runner.
type Source interface {
	Status() observe.Status
}

// Mapped is a Source that also returns its current mapping.
type Mapped interface {
	Source
	Mapping() mapping.Mapping
}

// DefaultNamespace is the namespace of the metrics. It is not Lambda's: CloudWatch reserves namespaces that begin with
// AWS/ for AWS's services.
const DefaultNamespace = "esm/Lambda"

// Config configures a Writer.
type Config struct {
	// Metrics are the groups: EventCount, ErrorCount, KafkaMetrics. If it is nil, the groups are those of the mapping's
	// MetricsConfig at each Write, so that they follow an Update; there are none if the Source is not Mapped. OffsetLag
	// and ProvisionedPollers are in no group: they are always written.
	Metrics []string
	// Namespace is the metrics' namespace. Default: DefaultNamespace.
	Namespace string
}

// Writer writes what was counted since its previous line. It is not safe for concurrent use.
type Writer struct {
	out    io.Writer
	source Source
	config Config
	before observe.Metrics
}

var groups = []string{"EventCount", "ErrorCount", "KafkaMetrics"}

// New returns a Writer. It refuses an unknown group, and a namespace that CloudWatch would refuse.
func New(out io.Writer, s Source, c Config) (*Writer, error) {
	for _, g := range c.Metrics {
		if !slices.Contains(groups, g) {
			return nil, fmt.Errorf("emf: Metrics: %q is not a group; the groups are EventCount, ErrorCount and KafkaMetrics", g)
		}
	}
	if c.Namespace == "" {
		c.Namespace = DefaultNamespace
	}
	if n := len(c.Namespace); n > 255 {
		return nil, fmt.Errorf("emf: Namespace: %d bytes, at most 255 are allowed", n)
	}
	if len(c.Namespace) >= 4 && c.Namespace[:4] == "AWS/" {
		return nil, errors.New("emf: Namespace: begins with AWS/, which CloudWatch reserves for AWS's services; choose another")
	}
	return &Writer{out: out, source: s, config: c}, nil
}

type metric struct {
	name  string
	value int64
}

// Write writes one line, and one more for each topic with its OffsetLag. Call it once a minute, as Lambda does. It
// writes nothing while the mapping is Disabled; the first line after that includes what was counted in between. Counts
// of a group that is not selected are not kept for later. After an error of the io.Writer, the next call writes the
// same counts again.
func (w *Writer) Write() error {
	s := w.source.Status()
	m := s.Metrics
	if s.State == observe.Disabled {
		return nil
	}
	lines := w.line(nil, &s, "", w.metrics(&s, &m))
	topics := make([]string, 0, len(s.OffsetLag))
	for topic := range s.OffsetLag {
		topics = append(topics, topic)
	}
	slices.Sort(topics)
	for _, topic := range topics {
		lines = w.line(lines, &s, topic, []metric{{"OffsetLag", s.OffsetLag[topic]}})
	}
	if _, err := w.out.Write(lines); err != nil {
		return fmt.Errorf("emf: %w", err)
	}
	w.before = m
	return nil
}

// groups returns the groups that are selected now.
func (w *Writer) groups() []string {
	if w.config.Metrics != nil {
		return w.config.Metrics
	}
	if m, ok := w.source.(Mapped); ok {
		if c := m.Mapping().MetricsConfig; c != nil {
			return c.Metrics
		}
	}
	return nil
}

func (w *Writer) metrics(s *observe.Status, m *observe.Metrics) []metric {
	b := &w.before
	all, chosen := []metric{{"ProvisionedPollers", int64(s.Pollers)}}, w.groups()
	if slices.Contains(chosen, "EventCount") {
		all = append(all, metric{"PolledEventCount", m.PolledEventCount - b.PolledEventCount},
			metric{"FilteredOutEventCount", m.FilteredOutEventCount - b.FilteredOutEventCount},
			metric{"InvokedEventCount", m.InvokedEventCount - b.InvokedEventCount},
			metric{"FailedInvokeEventCount", m.FailedInvokeEventCount - b.FailedInvokeEventCount},
			metric{"DroppedEventCount", m.DroppedEventCount - b.DroppedEventCount},
			metric{"OnFailureDestinationDeliveredEventCount", m.OnFailureDestinationDeliveredEventCount - b.OnFailureDestinationDeliveredEventCount},
			metric{"CommittedEventCount", m.CommittedEventCount - b.CommittedEventCount})
	}
	if slices.Contains(chosen, "ErrorCount") {
		for _, e := range []metric{
			{"PollingErrorCount", m.PollingErrorCount - b.PollingErrorCount},
			{"CommitErrorCount", m.CommitErrorCount - b.CommitErrorCount},
			{"InvokeErrorCount", m.InvokeErrorCount - b.InvokeErrorCount},
			{"OnFailureDestinationDeliveryErrorCount", m.OnFailureDestinationDeliveryErrorCount - b.OnFailureDestinationDeliveryErrorCount},
		} {
			if e.value != 0 { // Lambda emits them only when an error happens
				all = append(all, e)
			}
		}
	}
	if slices.Contains(chosen, "KafkaMetrics") {
		all = append(all, metric{"MaxOffsetLag", s.MaxOffsetLag}, metric{"SumOffsetLag", s.SumOffsetLag})
	}
	return all
}

// line appends a line of metrics. If topic is not empty, they are the topic's.
func (w *Writer) line(to []byte, s *observe.Status, topic string, all []metric) []byte {
	type definition struct{ Name, Unit string }
	type directive struct {
		Namespace  string
		Dimensions [][]string
		Metrics    []definition
	}
	fields := map[string]any{"ConsumerGroupId": s.ConsumerGroupId}
	dimensions := []string{}
	for _, d := range [][2]string{{"EventSourceMappingUUID", s.UUID}, {"FunctionName", s.FunctionName}, {"Topic", topic}} {
		if d[1] != "" { // CloudWatch refuses a dimension without a value
			dimensions = append(dimensions, d[0])
			fields[d[0]] = d[1]
		}
	}
	definitions := make([]definition, 0, len(all))
	for _, m := range all {
		definitions = append(definitions, definition{m.name, "Count"})
		fields[m.name] = m.value
	}
	fields["_aws"] = struct {
		Timestamp         int64
		CloudWatchMetrics []directive
	}{time.Now().UnixMilli(), []directive{{w.config.Namespace, [][]string{dimensions}, definitions}}}
	line, err := json.Marshal(fields)
	if err != nil { // cannot happen: strings and integers only
		return to
	}
	return append(append(to, line...), '\n')
}
