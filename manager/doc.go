// Package manager runs many event source mappings in one process: one esm.Runner each, their definitions in a store
// (files, a compacted topic, memory), their states as Lambda's API shows them.
//
//	mappings, err := files.Open("/var/lib/esm")
//	…
//	m, err := manager.New(mappings, manager.Handlers{"orders": handleOrders})
//	…
//	go func() { ended <- m.Run(ctx) }()
//	d, err := m.Create(ctx, esm.Mapping{FunctionName: "orders", …})
//
// Package manager/api serves Lambda's REST API over a Manager, so that the aws command and the AWS SDKs create, list,
// update and delete its mappings.
//
// # States
//
// A mapping that is created is Creating until the group has given it partitions, then Enabled. One whose cluster or
// function is wrong becomes Enabled too, with LastProcessingResult saying what the PROBLEM is and StateTransitionReason
// giving Lambda's code for it, and goes on trying: so clients that wait for a state get one, and the mapping can be
// mended by an update. Disabling finishes what is in flight without a bound, then leaves the group, so that its
// positions can be reset. A deleted mapping is Deleting until its handlers have returned.
//
// # What is shared, and what is not contained
//
// All mappings share the process. A handler's panic is an error of its invocation, a Runner that ends with an error is
// started again with backoff, and each mapping has its share of the memory for records (WithBufferBytes). What Go
// cannot contain is not contained: goroutines that a handler starts, the CPU and the memory that it takes, os.Exit, a
// fatal error such as a concurrent map write. Functions that are processes of their own have limits of their own.
package manager
