// Package drivertest tests the contract of package driver: every driver passes the same cases, on every broker that it
// is meant for.
//
//	func TestFake(t *testing.T) {
//		drivertest.Run(t, drivertest.Target{
//			Driver:      func(drivertest.Environment) driver.Driver { return franz.Driver() },
//			Environment: drivertest.Fake,
//		})
//	}
//
// [Run] runs every case; [Smoke] runs a subset, for brokers other than the default; [Moves] runs the cases that need
// several brokers.
//
// An [Environment] is a broker together with what can be done to it. Nothing is skipped silently. A case is skipped
// only if Environment.Lacks, the driver's Features or Target.Skip declare why, and the reason is reported. It fails if
// the environment lacks what it needs without declaring so. Commits are read back through the environment's own admin
// client, never through the driver under test.
//
// In every case, each consumer is also checked for the rules that always hold: Listener calls come one at a time, and
// only while Poll or Close runs; Poll returns no run while one is active; there is no run of a partition that is not
// assigned and started; offsets increase and Next is past the last; no two members own a partition at once; and no Poll
// spins.
package drivertest
