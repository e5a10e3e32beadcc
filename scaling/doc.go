// Package scaling decides how much capacity a mapping should have, and says why.
//
// It is pure: a [Sample] of what was measured goes in, a [Decision] comes out.
// Nothing here reads a clock, starts a goroutine or does I/O, so a policy can be
// tried on paper (package simulate) before it runs, and a decision that was
// taken in production can be replayed from its samples.
//
// # Two kinds of capacity
//
// Workers are concurrent invocations in this process. A change takes effect at
// once and costs no rebalance, because a partition has at most one batch in
// flight whatever the number of workers. That is also why more workers than
// partitions with work are of no use, and why no number of workers helps one hot
// partition.
//
// Pollers are members of the consumer group in this process, each with its own
// client. A change costs one cooperative rebalance, so pollers change only when
// fetching itself is the bottleneck: buffers are empty, workers are idle and the
// lag does not fall.
//
// # Policies
//
// [Lambda] is the default and keeps the pace of AWS Lambda's on-demand mode: a
// look at the lag once a minute. [Drain] holds a target drain time and reacts in
// seconds. A user's own [Policy] has one method. [Guard] stands between any
// policy and the engine: it keeps the bounds, survives panics, clocks that jump
// and measurements that stop, and reports each as the decision's [Reason].
//
// Package simulate has the simulator, its traces and yardsticks.
//
// A policy holds state and is called from one goroutine only; nothing in this
// package locks. Functions without a receiver are safe for concurrent use.
package scaling
