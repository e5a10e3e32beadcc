package esmprom

import (
	"strconv"

	"github.com/esm-go/esm/observe"
	"github.com/prometheus/client_golang/prometheus"
)

type partitionGauge struct {
	desc *prometheus.Desc
	of   func(*observe.PartitionStatus) float64
	// known reports whether there is a value; nil means always.
	known func(*observe.PartitionStatus) bool
}

func ofPartition(name, help string) *prometheus.Desc {
	return described("esm_partition_"+name, help, "topic", "partition")
}

var partitionGauges = []partitionGauge{
	{ofPartition("position", "First unresolved offset; absent where it is not known."), func(p *observe.PartitionStatus) float64 { return float64(p.Position) }, func(p *observe.PartitionStatus) bool { return p.Position >= 0 }},
	{ofPartition("committed_offset", "Committed offset of the group; absent where it is not known."), func(p *observe.PartitionStatus) float64 { return float64(p.Committed) }, func(p *observe.PartitionStatus) bool { return p.Committed >= 0 }},
	{ofPartition("end_offset", "End of the log as last seen; absent where it is not known."), func(p *observe.PartitionStatus) float64 { return float64(p.End) }, func(p *observe.PartitionStatus) bool { return p.End >= 0 }},
	{ofPartition("offset_lag", "End of the log minus committed offset; absent where it is not known."), func(p *observe.PartitionStatus) float64 { return float64(p.Lag) }, func(p *observe.PartitionStatus) bool { return p.Lag >= 0 }},
	{ofPartition("oldest_record_age_seconds", "Age of the oldest unresolved record, 0 when there is none."), func(p *observe.PartitionStatus) float64 { return p.OldestAge.Seconds() }, nil},
	{ofPartition("buffered_records", "Records received and not resolved."), func(p *observe.PartitionStatus) float64 { return float64(p.Buffered) }, nil},
	{ofPartition("attempts", "Failed tries of the head record in a row."), func(p *observe.PartitionStatus) float64 { return float64(p.Attempts) }, nil},
}

func (c *Collector) collectPartitions(out chan<- prometheus.Metric, s *observe.Status, with func(...string) []string) {
	for i := range s.Partitions {
		p := &s.Partitions[i]
		at := with(p.Topic, strconv.Itoa(int(p.Partition)))
		for j := range partitionGauges {
			if g := &partitionGauges[j]; g.known == nil || g.known(p) {
				out <- prometheus.MustNewConstMetric(g.desc, prometheus.GaugeValue, g.of(p), at...)
			}
		}
	}
}
