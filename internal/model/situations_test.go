package model

import "slices"

// The situations that the model exists for. A campaign that never reached one of them proves nothing about
// it.
const (
	lookupRevoke   = "a revocation while a start is looked up"
	lossRunning    = "a loss while handlers run"
	lossReturn     = "a partition back after a loss"
	fullBudget     = "a full budget"
	circuitMoves   = "a rebalance while a circuit is open"
	topicLater     = "a topic made later is read"
	topicAgain     = "a topic made again is read"
	partitionLater = "a partition added later is read"
	logCut         = "a log that was cut is read on"
	lateCommit     = "a commit that arrives late"
	nightPassed    = "a night that passed"
	dayPassed      = "a day that passed"
	corruptBatch   = "a batch that cannot be read"
	manyPollers    = "several pollers in a process"
	fewerPollers   = "fewer pollers than before"
	stormPassed    = "pauses and updates from several goroutines"
	stopRunning    = "a stop while handlers run"
	stopCut        = "a stop that ends a handler's context"
	stopDeaf       = "a stop that leaves a handler behind"
	refusedCommit  = "a commit that fails"
	txAborted      = "a transaction that is aborted"
	dropLimit      = "a drop by MaximumRetryAttempts"
	dropPermanent  = "a drop by Permanent"
	dropAge        = "a drop by MaximumRecordAgeInSeconds"
	panicked       = "a handler that panics"
	partialFail    = "a partial failure"
	retentionTook  = "a position that retention took away"
	hookBlocks     = "a hook that blocks"
	goneIgnored    = "a handler that goes on after its partitions went"
	interruptedErr = "an error of a handler that was interrupted"
	timedOut       = "an invocation timeout"
	fullBatchSent  = "a batch sent since memory is full"
	brokerAway     = "a broker that is away"
)

var situations = []string{lookupRevoke, lossRunning, lossReturn, fullBudget, circuitMoves, topicLater, topicAgain, partitionLater, logCut, lateCommit,
	nightPassed, dayPassed, corruptBatch, manyPollers, fewerPollers, stormPassed, stopRunning, stopCut, stopDeaf, refusedCommit, txAborted, dropLimit,
	dropPermanent, dropAge, panicked, partialFail, retentionTook, hookBlocks, goneIgnored, interruptedErr, timedOut, fullBatchSent, brokerAway}

// count records that a situation was reached. The caller holds mu.
func (w *world) count(what string) { w.counts[what]++ }

// missed returns the situations that were never reached.
func missed(counts map[string]int) (never []string) {
	for _, s := range slices.Concat(situations, destinationSituations) {
		if counts[s] == 0 {
			never = append(never, s)
		}
	}
	return never
}
