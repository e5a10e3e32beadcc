package simulate_test

import (
	"fmt"
	"os"
	"time"

	"github.com/esm-go/esm/scaling"
	"github.com/esm-go/esm/scaling/simulate"
)

// A policy is simulated with a backlog of 200,000 records on 64 partitions and a handler that takes 50 ms for
// ten.
func ExampleSimulate() {
	for _, trace := range simulate.Traces() {
		if trace.Name != "sixtyfour" {
			continue
		}
		result, err := simulate.Simulate(trace, &scaling.Drain{}, simulate.Options{})
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

// The comparison in the documentation, for one trace.
func ExampleCompare() {
	rows, err := simulate.Compare(simulate.Traces()[9:10], simulate.Options{Seed: 1})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := simulate.WriteTable(os.Stdout, rows); err != nil {
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
