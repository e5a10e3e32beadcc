// Package scaling decides how much capacity a mapping should have, and says why.
//
// It is pure: a [Sample] of measurements goes in, a [Decision] comes out. Nothing here reads a clock, starts
// a goroutine or does I/O. A policy can therefore be simulated (package simulate) before it runs, and a
// decision made in production can be replayed from its samples.
//
// # Two kinds of capacity
//
// Workers are concurrent invocations in this process. A change takes effect at once and costs no rebalance. A
// partition has at most one batch in flight, whatever the number of workers. More workers than partitions
// with work are therefore of no use, and no number of workers helps one hot partition.
//
// Pollers are members of the consumer group in this process, each with its own client. A change costs one
// cooperative rebalance, so pollers change only when fetching itself is the bottleneck: buffers are empty,
// workers are idle and the lag does not fall.
//
// # Policies
//
// [Lambda] is the default and keeps the pace of AWS Lambda's on-demand mode: it evaluates the lag once a
// minute. [Drain] holds a target drain time and reacts within seconds. A custom [Policy] needs one method.
// [Guard] stands between any policy and the engine: it enforces the bounds, survives panics, clock jumps and
// measurements that stop, and reports each of these as the decision's [Reason].
//
// Package simulate has the simulator, its traces and the policies to compare with.
//
// A policy holds state and is called from one goroutine only; nothing in this package locks. Functions
// without a receiver are safe for concurrent use.
package scaling
