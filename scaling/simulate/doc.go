// Package simulate tries out a scaling policy in virtual time: [Simulate] plays a [Trace] of arrivals through
// a model of a mapping and returns the result, [Compare] runs the policies over many traces, and [WriteChart]
// draws one run.
//
// [KEDA] and [Oracle] are yardsticks: policies to compare with, not to run.
package simulate
