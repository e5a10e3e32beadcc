package scaling_test

import (
	"fmt"
	"time"

	"github.com/esm-go/esm/scaling"
)

// A custom policy has one method, and Guard keeps it within bounds.
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
	// workers 1 -> 3: the policy asked for 30 workers and 1 poller, outside 1 to 3 and 1 to 1 with 3 partitions
}
