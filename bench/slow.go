package main

import (
	"context"
	"fmt"
	"time"
)

// workMemory makes a contestant read a long backlog with a slow handler for MaxSeconds, and samples its
// resident set.
func workMemory(ctx context.Context, c contestant, j job) (result, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	m := &meter{target: 1 << 62, limit: time.Duration(j.MaxSeconds * float64(time.Second)), stop: cancel}
	failed := make(chan error, 1)
	go func() { failed <- c.run(ctx, j, m) }()
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	var r result
	for {
		select {
		case <-tick.C:
			if m.records.Load() > 0 {
				r.Samples = append(r.Samples, memory("self", "VmRSS"))
			}
		case err := <-failed:
			r.Records, r.Batches, r.Seconds = m.records.Load(), m.batches.Load(), j.MaxSeconds
			return r, err
		}
	}
}

// memoryFigures shows that memory does not grow with the backlog.
func memoryFigures(ctx context.Context, bootstrap []string, bytes int64, seconds float64) error {
	b, err := openKafka(bootstrap)
	if err != nil {
		return err
	}
	defer b.close()
	const value = 100
	topic, records := "esm-bench-100-8", bytes/value
	if err := b.topic(ctx, topic, 8, value, records); err != nil {
		return err
	}
	fmt.Printf("\n%d records of %d bytes behind, 8 partitions, BatchSize 100, a handler of 200 ms, %.0f s, on %s\n\n", records, value, seconds, b.name)
	fmt.Println("| contestant | handled | RSS MB: first quarter | second | third | last | peak |\n| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
	for _, name := range []string{"esm-franz", "esm-confluent"} {
		r, err := runJob(ctx, job{Kind: "memory", Contestant: name, Bootstrap: b.bootstrap, Topic: topic, Group: groupName(),
			Partitions: 8, Batch: 100, MaxSeconds: seconds, HandlerMillis: 200})
		if err != nil {
			return err
		}
		fmt.Printf("| %s | %d |", name, r.Records)
		n := len(r.Samples)
		for q := range 4 {
			var list []float64
			for _, s := range r.Samples[q*n/4 : (q+1)*n/4] {
				list = append(list, float64(s)/(1<<20))
			}
			fmt.Printf(" %.0f |", quantile(list, 1))
		}
		fmt.Printf(" %d |\n", r.Peak>>20)
	}
	return nil
}
