package esmtest

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/esm-go/esm"
)

// patience is how many failures in a row, beyond MaximumRetryAttempts, end an Invoke: enough to halve 10 000
// records down to one.
const patience = 20

// Result is what happened to the records of an Invoke.
type Result struct {
	// Err is the last invocation's error, nil if it succeeded or there was none.
	Err error
	// Invocations are all invocations, in order; Attempts is their number.
	Invocations []Invocation
	Attempts    int
	// Dropped are the records that were given up, and why.
	Dropped []esm.DropInfo
	// Committed is the group's commit of each partition.
	Committed map[esm.TopicPartition]int64
	// Unresolved is by how many offsets the commits are behind the ends: 0 unless Invoke gave up.
	Unresolved int64
	// Metrics are the mapping's counters.
	Metrics esm.Metrics
}

// Invoke passes records to a handler through the real executor, as the mapping says: filtered, in one batch
// where BatchSize and the payload limit allow it, and retried until every one is handled or given up. It
// waits for that and returns what happened. Pauses between attempts last a millisecond, and there is no
// batching window.
//
// If a handler keeps failing and the mapping retries forever, or Throttled uses no attempt, Invoke ends after
// 20 failures in a row more than MaximumRetryAttempts allows, with Unresolved above 0.
//
// The records go to the first of the mapping's Topics, which is read from its beginning whatever
// StartingPosition says. What the mapping needs and leaves out is filled in, see Start. An error of New or
// Run fails the test; with a nil tb, for examples, it panics.
func Invoke(tb testing.TB, m esm.Mapping, h esm.Handler, records ...Record) Result {
	if tb != nil {
		tb.Helper()
	}
	m = complete(tb, m)
	m.Enabled, m.MaximumBatchingWindowInSeconds = new(true), new(0)
	m.StartingPosition, m.StartingPositionTimestamp = esm.TrimHorizon, time.Time{}
	topic, group := named(tb, m), m.GroupID()
	m.Topics = []string{topic}
	if len(records) == 0 {
		return Result{}
	}
	partitions := int32(1)
	for _, rec := range records {
		partitions = max(partitions, rec.Partition+1)
	}
	b := NewBroker(tb, FetchRecords(len(records)))
	b.CreateTopic(topic, partitions)
	b.Produce(topic, records...)

	limit := patience
	if n := m.MaximumRetryAttempts; n != nil && *n > 0 {
		limit += *n
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	r := newRecorder()
	var mu sync.Mutex
	var result Result
	opts := append(r.options(b), esm.WithRetryBackoff(time.Millisecond, time.Millisecond), esm.WithLagInterval(0), esm.WithHooks(esm.Hooks{
		Drop: func(i esm.DropInfo) {
			mu.Lock()
			defer mu.Unlock()
			result.Dropped = append(result.Dropped, i)
		},
		Commit: func(esm.CommitInfo) {
			if b.Lag(group) == 0 {
				cancel()
			}
		},
		Retry: func(i esm.RetryInfo) {
			if i.Failures >= limit {
				cancel()
			}
		},
	}))
	runner, err := esm.New(m, h, opts...)
	if err != nil {
		fatal(tb, err)
	}
	if err := runner.Run(ctx); err != nil {
		fatal(tb, err)
	}
	result.Invocations = r.Invocations()
	result.Attempts = len(result.Invocations)
	if n := result.Attempts; n > 0 {
		result.Err = result.Invocations[n-1].Err
	}
	result.Committed = make(map[esm.TopicPartition]int64)
	for p := range partitions {
		tp := esm.TopicPartition{Topic: topic, Partition: p}
		result.Committed[tp] = b.Committed(group, topic, p).Offset
		result.Unresolved += max(b.End(topic, p)-max(result.Committed[tp], 0), 0)
	}
	result.Metrics = runner.Metrics()
	return result
}
