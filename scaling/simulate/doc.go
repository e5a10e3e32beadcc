// Package simulate runs a scaling policy on paper: [Simulate] plays a [Trace] of arrivals through a model of a mapping
// and reports what came of it, [Compare] tabulates the policies over many traces, and [WriteChart] draws one run.
//
// [KEDA] and [Oracle] are yardsticks: policies to compare with, not to run.
package simulate
