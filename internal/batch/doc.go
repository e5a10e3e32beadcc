// Package batch makes batches of waiting records. A [Lane] holds the records of one partition: first in a [Buffer] as
// they came, then in [Unit]s as they are handled and retried. A [Pool] fills batches from the waiting lanes, and a
// [Queue] orders lanes by time.
//
// The package is passive and has no clock: callers pass the time. It does not lock; a loop owns its values.
package batch
