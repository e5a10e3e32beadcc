package observe

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
	"time"
)

// Wait says what the first unresolved record of a partition waits for.
type Wait string

// The values of Wait.
const (
	// WaitNone: no such record is known.
	WaitNone Wait = ""
	// WaitStart: the partition's start is being looked up and committed.
	WaitStart Wait = "start"
	// WaitRebalance: the partition is being revoked, or a handler still runs with records from an earlier assignment of it.
	WaitRebalance Wait = "rebalance"
	// WaitHandler: the handler is working on it.
	WaitHandler Wait = "handler"
	// WaitDestination: it is on its way to the on-failure destination.
	WaitDestination Wait = "destination"
	// WaitRetry: it failed, and is retried at NextTry.
	WaitRetry Wait = "retry"
	// WaitWindow: its batch is not full, and MaximumBatchingWindowInSeconds has not passed.
	WaitWindow Wait = "window"
	// WaitWorker: its batch is due, and all workers are busy.
	WaitWorker Wait = "worker"
	// WaitCircuit: the circuit of WithCircuitBreaker is open.
	WaitCircuit Wait = "circuit"
	// WaitMemory: it is not fetched, because the buffered records fill the budget of WithBufferBytes.
	WaitMemory Wait = "memory"
	// WaitFetch: the broker has not sent it yet.
	WaitFetch Wait = "fetch"
	// WaitPaused: the mapping or the partition is paused.
	WaitPaused Wait = "paused"
	// WaitStop: Run is stopping and invokes nothing new.
	WaitStop Wait = "stop"
)

// Head is the first unresolved record of a partition. No later record of the partition is committed before it is resolved.
type Head struct {
	// KeyHash is the hash of its key; zero without a key. Key is the key itself, set only with WithHeadKeys.
	KeyHash KeyHash
	Key     string
	// Bytes is the size of its key, value and headers.
	Bytes int
	// Tries counts the invocations with it that failed.
	Tries int
	// FirstError is the error of the first of the failures that PartitionStatus.Attempts counts.
	FirstError error
	// WaitsFor is what it waits for, and Since when that wait began.
	WaitsFor Wait
	Since    time.Time
}

// KeyHash is the 64-bit FNV-1a hash of a key. It distinguishes keys without showing them. It does not keep them secret:
// anyone who can list the possible keys can find the one with the hash.
type KeyHash uint64

// HashKey returns the hash of a key, or zero for a nil key.
func HashKey(key []byte) KeyHash {
	if key == nil {
		return 0
	}
	h := fnv.New64a()
	_, _ = h.Write(key) // never fails
	return KeyHash(h.Sum64())
}

// String returns sixteen hexadecimal digits, or nothing without a key.
func (h KeyHash) String() string {
	if h == 0 {
		return ""
	}
	return fmt.Sprintf("%016x", uint64(h))
}

// MarshalText returns the same text as String.
func (h KeyHash) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// SlowInvocation is a running invocation that has taken far longer than earlier ones did.
type SlowInvocation struct {
	// Invocation is the id in the handler's context.
	Invocation uint64
	// Partitions has the first and last offset of each "topic-partition" in the batch.
	Partitions map[string]OffsetRange
	Records    int
	// Attempt is 1 for the first attempt.
	Attempt int
	// Since is when it began.
	Since time.Time
	// Usual is the 99th percentile of earlier invocations.
	Usual time.Duration
}

// String returns what runs, since when, and how long others took.
func (i *SlowInvocation) String() string {
	return fmt.Sprintf("invocation %d of %s has been running since %s; 99 of 100 took at most %v", i.Invocation, rangesText(i.Partitions), i.Since.Format(time.RFC3339), i.Usual)
}

func rangesText(r map[string]OffsetRange) string {
	var b strings.Builder
	for i, key := range sortedKeys(r) {
		if i == 8 {
			fmt.Fprintf(&b, " and %d more", len(r)-i)
			break
		}
		if i > 0 {
			b.WriteByte(' ')
		}
		fmt.Fprintf(&b, "%s[%d..%d]", key, r[key].First, r[key].Last)
	}
	return b.String()
}

// WhoBlocks returns the partitions that have an unresolved record, sorted by harm. The harm of a partition is the number of
// records from its head to the end of the log, times how long the head has waited; a head that failed has waited since its
// first failure.
func (s *Status) WhoBlocks() []PartitionStatus {
	all := make([]PartitionStatus, 0, len(s.Partitions))
	for i := range s.Partitions {
		if s.Partitions[i].Head.WaitsFor != WaitNone {
			all = append(all, s.Partitions[i])
		}
	}
	slices.SortStableFunc(all, func(a, b PartitionStatus) int { return cmp.Compare(b.harm(s.Time), a.harm(s.Time)) })
	return all
}

// harm returns about how many record-seconds of waiting the head of a partition has caused.
func (p *PartitionStatus) harm(now time.Time) float64 {
	since := p.Head.Since
	if !p.FirstFailure.IsZero() && p.FirstFailure.Before(since) {
		since = p.FirstFailure
	}
	return float64(max(p.Lag, int64(p.Buffered), 1)) * max(0, now.Sub(since).Seconds())
}

// headText returns a line about what blocks a partition.
func (p *PartitionStatus) headText(now time.Time) string {
	var b strings.Builder
	b.WriteString(p.TopicPartition.String())
	if p.Position >= 0 {
		fmt.Fprintf(&b, " at offset %d", p.Position)
	}
	fmt.Fprintf(&b, " waits for %s since %s (%v)", p.waitText(), p.Head.Since.Format(time.RFC3339), round(now.Sub(p.Head.Since)))
	if p.Buffered > 0 {
		b.WriteString(", " + many(p.Head.Bytes, "byte"))
		if p.Head.Key != "" {
			fmt.Fprintf(&b, ", key %q", p.Head.Key)
		}
		if p.Head.KeyHash != 0 {
			fmt.Fprintf(&b, ", key hash %s", p.Head.KeyHash)
		}
	}
	if p.OldestAge > 0 {
		fmt.Fprintf(&b, ", %v old", round(p.OldestAge))
	}
	if p.Lag > 0 {
		fmt.Fprintf(&b, ", lag %d", p.Lag)
	}
	if p.Attempts > 0 {
		fmt.Fprintf(&b, ", %s since %s", many(p.Attempts, "failure"), p.FirstFailure.Format(time.RFC3339))
		if p.Head.FirstError != nil {
			fmt.Fprintf(&b, ", first: %s", oneLine(p.Head.FirstError))
		}
	}
	if p.LastError != nil {
		fmt.Fprintf(&b, ", last: %s", oneLine(p.LastError))
	}
	if p.Condition != nil {
		fmt.Fprintf(&b, ", %s: %s", p.Condition.Op, p.Condition.Kind)
	}
	return b.String()
}

func (p *PartitionStatus) waitText() string {
	switch w := p.Head.WaitsFor; w {
	case WaitStart:
		return "its start"
	case WaitRebalance:
		return "a rebalance"
	case WaitHandler:
		return "the handler"
	case WaitDestination:
		return "the on-failure destination"
	case WaitRetry:
		if p.NextTry.IsZero() {
			return "its retry"
		}
		return "its retry at " + p.NextTry.Format(time.RFC3339)
	case WaitWindow:
		return "its batch"
	case WaitWorker:
		return "a worker"
	case WaitCircuit:
		return "the circuit to close"
	case WaitFetch:
		return "the broker"
	case WaitPaused:
		return "the end of a pause"
	case WaitStop:
		return "the end of Run"
	default: // WaitMemory
		return string(w)
	}
}

func round(d time.Duration) time.Duration {
	if d > time.Second {
		return d.Round(time.Second)
	}
	return d.Round(time.Millisecond)
}

// oneLine returns an error's text without line breaks, cut off if it is long.
func oneLine(err error) string {
	const most = 300
	text := strings.Join(strings.FieldsFunc(err.Error(), func(r rune) bool { return r == '\n' || r == '\r' }), "; ")
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "…"
	}
	return text
}
