// Package promtext writes the metrics of mappings in Prometheus' text format, version 0.0.4, for programs that do not link
// Prometheus' client. The series are those that package esmprom exports, whose tests compare the two.
package promtext

import (
	"bytes"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/esm-go/esm/observe"
)

// ContentType is what an answer with this text is declared as.
const ContentType = "text/plain; version=0.0.4; charset=utf-8"

// Write writes the series of mappings, as their Status has them. Those with the same function name, consumer group and UUID
// cannot be told apart, and only the first is written.
func Write(to io.Writer, all []observe.Status) error {
	var b bytes.Buffer
	known := make(map[string]bool, len(all))
	all = slices.DeleteFunc(slices.Clone(all), func(s observe.Status) bool {
		key := s.FunctionName + "\x00" + s.ConsumerGroupId + "\x00" + s.UUID
		twice := known[key]
		known[key] = true
		return twice
	})
	for i := range families {
		f := &families[i]
		head := false
		for k := range all {
			f.samples(&all[k], func(v float64, labels ...string) {
				if !head {
					head = true
					b.WriteString("# HELP esm_" + f.name + " " + escapeHelp.Replace(f.help) + "\n# TYPE esm_" + f.name + " " + f.kind + "\n")
				}
				sample(&b, f.name, &all[k], v, labels)
			})
		}
	}
	_, err := to.Write(b.Bytes())
	return err
}

var (
	escapeHelp  = strings.NewReplacer(`\`, `\\`, "\n", `\n`)
	escapeLabel = strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`)
)

// sample writes one line; labels are names and values in turn.
func sample(b *bytes.Buffer, name string, s *observe.Status, v float64, labels []string) {
	b.WriteString("esm_" + name + "{")
	for i, all := 0, append([]string{"function_name", s.FunctionName, "consumer_group", s.ConsumerGroupId, "uuid", s.UUID}, labels...); i < len(all); i += 2 {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(all[i] + `="` + escapeLabel.Replace(strings.ToValidUTF8(all[i+1], "\uFFFD")) + `"`)
	}
	b.WriteString("} ")
	b.Write(strconv.AppendFloat(nil, v, 'g', -1, 64))
	b.WriteByte('\n')
}

// put writes a sample of a family.
type put func(v float64, labels ...string)

type family struct {
	name, help, kind string
	samples          func(*observe.Status, put)
}

func counter(name, help string, of func(*observe.Metrics) int64) family {
	return family{name, help, "counter", func(s *observe.Status, p put) { p(float64(of(&s.Metrics))) }}
}

func gauge(name, help string, of func(*observe.Status) float64) family {
	return family{name, help, "gauge", func(s *observe.Status, p put) { p(of(s)) }}
}

func each(name, help string, samples func(*observe.Status, put)) family {
	return family{name, help, "gauge", samples}
}

func is(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func those(s *observe.Status, has func(*observe.PartitionStatus) bool) (n float64) {
	for i := range s.Partitions {
		n += is(has(&s.Partitions[i]))
	}
	return n
}

func seconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }
