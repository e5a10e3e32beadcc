package scaling_test

import (
	"fmt"
	"os"
	"time"

	"github.com/esm-go/esm/scaling"
)

// A policy is tried on paper: a backlog of 200,000 records on 64 partitions and
// a handler that takes 50 ms for ten.
func ExampleSimulate() {
	for _, trace := range scaling.Traces() {
		if trace.Name != "sixtyfour" {
			continue
		}
		result, err := scaling.Simulate(trace, &scaling.Drain{}, scaling.Options{})
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println("drained in", result.DrainTime.Round(time.Second))
		for _, d := range result.Decisions[:4] {
			fmt.Println(d.At, d.Reason)
		}
	}
	// Output:
	// drained in 17s
	// 0s 1 worker: steady, 0 records/s arrive and a worker does 0
	// 1s workers 1 -> 64: at the maximum, the load wants 64.0 workers, lag 199810 is gone in 15.6s
	// 2s 64 workers: catching up, lag 187640 on 64 partitions is gone in 14.6s
	// 16s 64 workers: steady, 0 records/s arrive and a worker does 200
}

// The comparison of the documentation, for one trace.
func ExampleCompare() {
	rows, err := scaling.Compare(scaling.Traces()[9:10], scaling.Options{Seed: 1})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := scaling.WriteTable(os.Stdout, rows); err != nil {
		fmt.Println(err)
	}
	// Output:
	// | trace | policy | drain time | x oracle | worker-s | x oracle | backlog area | max lag | max age | changes | reversals |
	// | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
	// | one | oracle | 1m29.9s |  | 300 |  | 167533 | 2997 | 30s | 0 | 0 |
	// | one | Drain | 1m29.9s | 1.00 | 300 | 1.00 | 167533 | 2997 | 30s | 0 | 0 |
	// | one | KEDA | 1m29.9s | 1.00 | 300 | 1.00 | 167533 | 2997 | 30s | 0 | 0 |
	// | one | Lambda | 1m29.9s | 1.00 | 300 | 1.00 | 167533 | 2997 | 30s | 0 | 0 |
}

// A policy of one's own has one method, and Guard keeps it within bounds.
func ExampleGuard() {
	perThousand := scaling.PolicyFunc(func(s scaling.Sample) scaling.Decision {
		return scaling.Decision{Workers: int(s.Lag() / 1000), Pollers: s.Capacity.Pollers}
	})
	policy := scaling.Guard(perThousand, scaling.Bounds{MaximumWorkers: 8})
	d := policy.Decide(scaling.Sample{
		Time:       time.Now(),
		Partitions: []scaling.Partition{{Topic: "orders", Lag: 30_000}, {Topic: "orders", Partition: 1}, {Topic: "orders", Partition: 2}},
		Capacity:   scaling.Capacity{Workers: 1, Pollers: 1},
	})
	fmt.Println(d.Workers)
	fmt.Println(d.Reason)
	// Output:
	// 3
	// workers 1 -> 3: the policy asked for 30 workers and 1 pollers, outside 1 to 3 and 1 to 1 with 3 partitions
}
