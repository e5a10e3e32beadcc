// Package batch makes batches of records that wait: a [Lane] holds the records of one partition, first in a [Buffer] as
// they came, then in [Unit]s as they are handled and retried; a [Pool] fills batches from the lanes that wait, and a
// [Queue] orders lanes by time.
//
// It is passive and knows no clock: times are given to it. Nothing in it locks; a loop owns it.
package batch
