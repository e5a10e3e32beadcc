// Package manager runs many event source mappings in one process, with one esm.Runner each. It keeps their definitions
// in a store (files, a compacted topic, memory), and shows their states as Lambda's API does.
//
//	mappings, err := files.Open("/var/lib/esm")
//	…
//	m, err := manager.New(mappings, manager.Handlers{"orders": handleOrders})
//	…
//	go func() { ended <- m.Run(ctx) }()
//	d, err := m.Create(ctx, esm.Mapping{FunctionName: "orders", …})
//
// Package manager/api serves Lambda's REST API for a Manager, so that the aws command and the AWS SDKs can create,
// list, update and delete its mappings.
//
// # States
//
// A new mapping is Creating until the group has assigned it partitions, then Enabled. A mapping whose cluster or
// function has a problem becomes Enabled too, and is retried: LastProcessingResult describes the PROBLEM, and
// StateTransitionReason is Lambda's code for it. Clients that wait for a state therefore get one, and an update can fix
// the mapping. Disabling waits without limit for what is in flight, then leaves the group, so that its positions can be
// reset. A deleted mapping is Deleting until its handlers have returned.
//
// # What is shared, and what is not isolated
//
// All mappings share the process. A handler's panic is an error of its invocation, a Runner that ends with an error is
// restarted with backoff, and each mapping has its share of the memory for records (WithBufferBytes). What Go cannot
// isolate is not isolated: goroutines that a handler starts, the CPU and memory that it uses, os.Exit, a fatal error
// such as a concurrent map write. Functions that run as separate processes have their own limits.
package manager
