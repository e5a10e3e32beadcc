package mapping_test

import (
	"fmt"

	"github.com/esm-go/esm/mapping"
)

func ExampleParse() {
	m, err := mapping.Parse([]byte(`{
		"FunctionName": "orders",
		"SelfManagedEventSource": {"Endpoints": {"KAFKA_BOOTSTRAP_SERVERS": ["localhost:9092"]}},
		"Topics": ["orders"],
		"MaximumBatchingWindowInSeconds": 1
	}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(m.WithDefaults().BatchSize, *m.MaximumBatchingWindowInSeconds, m.GroupID())
	// Output: 100 1 d9c1632c-725e-533d-8983-b8090d01ea52
}

func ExampleMapping_Validate() {
	m := mapping.Mapping{FunctionName: "orders", Topics: []string{"orders", "my topic"}, BatchSize: 20_000}
	fmt.Println(m.Validate())
	// Output:
	// esm: SelfManagedEventSource.Endpoints.KAFKA_BOOTSTRAP_SERVERS: Unrecognized event source. Name at least one broker as host:port
	// esm: Topics[1] = "my topic": must be letters, digits, . _ and -; a regular expression begins with ^
	// esm: BatchSize = 20000: must be 1 to 10000; leave it out for 100
}
