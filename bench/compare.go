package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// setting is one cell of the matrix.
type setting struct{ Value, Partitions, Batch int }

func (s setting) String() string {
	return fmt.Sprintf("%s values, %d partitions, batch %d", sizeName(s.Value), s.Partitions, s.Batch)
}

func sizeName(n int) string {
	if n >= 1024 && n%1024 == 0 {
		return fmt.Sprintf("%d KB", n/1024)
	}
	return fmt.Sprintf("%d B", n)
}

// runs are the results of one contestant in one setting, one per repetition.
type runs struct {
	contestant contestant
	results    []result
	failed     string
}

type cell struct {
	setting setting
	rows    []*runs
}

type comparison struct {
	names                    []string
	values, partitions       []int
	batches                  []int
	repeat                   int
	bytes                    int64
	minSeconds, maxSeconds   float64
	fake                     bool
	bootstrap                []string
	profile, outDir, command string
}

// run measures every cell. In each repetition the contestants take turns, so that other load on the machine
// affects all of them alike.
func (c comparison) run(ctx context.Context) ([]cell, string, error) {
	var cells []cell
	name := ""
	var b *broker
	var err error
	defer func() {
		if b != nil {
			b.close()
		}
	}()
	for _, value := range c.values {
		if b == nil || c.fake {
			if b != nil {
				b.close()
			}
			if c.fake {
				b, err = startFake(value)
			} else {
				b, err = openKafka(c.bootstrap)
			}
			if err != nil {
				b = nil
				return cells, name, err
			}
			name = b.name
		}
		for _, partitions := range c.partitions {
			topic := fmt.Sprintf("esm-bench-%d-%d", value, partitions)
			records := c.bytes / int64(value)
			fmt.Fprintf(os.Stderr, "filling %s: %d records\n", topic, records)
			if err := b.topic(ctx, topic, partitions, value, records); err != nil {
				return cells, name, err
			}
			for _, batch := range c.batches {
				one := c.cell(ctx, b, topic, setting{value, partitions, batch}, records)
				cells = append(cells, one)
				if ctx.Err() != nil {
					return cells, name, ctx.Err()
				}
			}
		}
	}
	return cells, name, nil
}

func (c comparison) cell(ctx context.Context, b *broker, topic string, s setting, records int64) cell {
	out := cell{setting: s}
	for _, known := range contestants() {
		if slices.Contains(c.names, known.name) && !(b.fake && known.kafkaOnly) {
			row := &runs{contestant: known}
			if known.byPartition && records < 2*int64(s.Partitions*s.Batch) {
				row.failed = "too few records: a partition has less than two batches"
			}
			out.rows = append(out.rows, row)
		}
	}
	for i := range c.repeat {
		for _, row := range out.rows {
			if ctx.Err() != nil || row.failed != "" {
				continue
			}
			j := job{
				Kind: "measure", Contestant: row.contestant.name, Bootstrap: b.bootstrap, Topic: topic, Group: groupName(),
				Partitions: s.Partitions, Batch: s.Batch,
				// The last records of a topic come one partition after the other, and in batches that are not
				// full: up to one per partition for a contestant that fills them by partition.
				Target:     min(records*95/100, max(records-int64(s.Partitions*s.Batch), records/2)),
				MinSeconds: c.minSeconds, MaxSeconds: c.maxSeconds,
			}
			if b.fake {
				j.Target, j.MaxSeconds = 0, c.minSeconds
			}
			if c.profile != "" && strings.HasPrefix(j.Contestant, "esm-") {
				j.CPUProfile = filepath.Join(c.profile, fmt.Sprintf("%s-%d-%d-%d.prof", j.Contestant, s.Value, s.Partitions, s.Batch))
			}
			r, err := runJob(ctx, j)
			if err != nil {
				row.failed = err.Error()
				fmt.Fprintf(os.Stderr, "%s [%d] %s: %v\n", s, i+1, j.Contestant, err)
				continue
			}
			fmt.Fprintf(os.Stderr, "%s [%d] %-15s %s records/s %5.0f CPU ns/record %4d MB peak\n", s, i+1, j.Contestant, millions(r.rate()), r.nanos(), r.Peak>>20)
			row.results = append(row.results, r)
		}
	}
	return out
}
