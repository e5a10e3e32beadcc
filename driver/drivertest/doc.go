// Package drivertest is the contract of package driver as tests: every driver passes the same cases, on every broker
// that it is meant for.
//
//	func TestFake(t *testing.T) {
//		drivertest.Run(t, drivertest.Target{
//			Driver:      func(drivertest.Environment) driver.Driver { return franz.Driver() },
//			Environment: drivertest.Fake,
//		})
//	}
//
// [Run] runs every case; [Smoke] the part for brokers that are not the usual one; [Moves] the cases that need several.
//
// An [Environment] is a broker together with what can be done to it. Nothing skips in silence: a case is skipped for what
// Environment.Lacks, the driver's Features or Target.Skip declare, with the reason, and fails where the environment has no
// way to do what it needs and does not say so. Commits are read back through an admin client of the environment's own, never
// through the driver under test.
//
// Beside what a case is about, each consumer of each case is watched for the rules that always hold: Listener calls
// come one at a time, and only while Poll or Close runs; no run while one is under way; no run of a partition that is
// not assigned and started; offsets rise and Next is past the last; no two members own a partition at once; and no
// Poll spins.
package drivertest
