package observe_test

import (
	"errors"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/esm-go/esm/destination"
	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/observe"
	"github.com/esm-go/esm/scaling"
)

// one finds a plural after the number one, unless that is part of another number or of "1 of".
var one = regexp.MustCompile(`(^|[ (])1 [a-z]+s\b`)

// of returns a Status in which everything occurs n times.
func of(n int) observe.Status {
	now := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	tp := event.TopicPartition{Topic: "t"}
	s := observe.Status{
		Time: now, FunctionName: "f", Workers: n, InFlight: n, Pollers: n, BufferedBytes: n, BufferLimit: 1 << 20, SumOffsetLag: int64(n), MaxOffsetLag: int64(n), OldestAge: time.Second,
		Scaling:     observe.ScalingStatus{Policy: "p", Reason: scaling.Reason{Kind: scaling.CatchingUp, Lagging: n, From: scaling.Capacity{Workers: n, Pollers: n}, To: scaling.Capacity{Workers: n, Pollers: n}}},
		Credentials: observe.CredentialsStatus{InUse: "a certificate", Since: now, Expires: now.Add(time.Duration(n) * 24 * time.Hour), DaysLeft: n, Err: errors.New("refused")},
		Conditions:  []observe.Condition{{Op: observe.OpPoll, Kind: "unavailable", Since: now, Count: n, Err: errors.New("away")}},
		Destination: observe.DestinationStatus{Name: "kafka://failures", SenderStatus: destination.SenderStatus{Pending: n, Failing: n}},
		Slow:        []observe.SlowInvocation{{Invocation: uint64(n), Records: n, Since: now, Usual: time.Second, Partitions: map[string]observe.OffsetRange{"t-0": {}}}},
	}
	for i := range 10 + n { // one more than are listed
		s.Partitions = append(s.Partitions, observe.PartitionStatus{TopicPartition: event.TopicPartition{Topic: "t", Partition: int32(i)}, Position: 5, Lag: int64(n), Buffered: n, Attempts: n,
			FirstFailure: now, LastError: errors.New("no"), Head: observe.Head{Bytes: n, Tries: n, WaitsFor: observe.WaitRetry, Since: now}})
	}
	s.Partitions[0].TopicPartition = tp
	return s
}

func TestTextIsEnglish(t *testing.T) {
	single, several := of(1).String(), of(2).String()
	if found := one.FindAllString(single, -1); found != nil {
		t.Errorf("%q in\n%s", found, single)
	}
	for _, want := range []string{"1 of 1 worker busy, 1 poller, 11 partitions", "certificate: 1 day left", "seen 1 time", "1 partition more", "1 byte,", "1 failure since", "the last send of 1 batch part failed", "on 1 partition is"} {
		if !strings.Contains(single, want) {
			t.Errorf("no %q in\n%s", want, single)
		}
	}
	for _, want := range []string{"2 of 2 workers busy, 2 pollers", "2 days left", "seen 2 times", "2 partitions more", "2 bytes", "2 failures since"} {
		if !strings.Contains(several, want) {
			t.Errorf("no %q in\n%s", want, several)
		}
	}
	if n := strings.Count(single, "\n"); n > 25 {
		t.Errorf("%d lines", n)
	}
}

// Each kind of wait is described in words.
func TestWaitsAreSaidInWords(t *testing.T) {
	now := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	for wait, want := range map[observe.Wait]string{
		observe.WaitStart: "its start", observe.WaitRebalance: "a rebalance", observe.WaitHandler: "the handler", observe.WaitDestination: "the on-failure destination",
		observe.WaitRetry: "its retry", observe.WaitWindow: "its batch", observe.WaitWorker: "a worker", observe.WaitCircuit: "the circuit to close", observe.WaitMemory: "memory",
		observe.WaitFetch: "the broker", observe.WaitPaused: "the end of a pause", observe.WaitStop: "the end of Run",
	} {
		s := observe.Status{Time: now.Add(time.Minute), Partitions: []observe.PartitionStatus{{Position: 7, TopicPartition: event.TopicPartition{Topic: "t", Partition: 3}, Head: observe.Head{WaitsFor: wait, Since: now}}}}
		if line := "blocked: t-3 at offset 7 waits for " + want + " since 2026-11-28T12:00:00Z (1m0s)"; !strings.HasSuffix(s.String(), "\n"+line) {
			t.Errorf("%s: no %q in\n%s", wait, line, s)
		}
	}
	s := observe.Status{Partitions: []observe.PartitionStatus{{NextTry: now, Head: observe.Head{WaitsFor: observe.WaitRetry}}}}
	if !strings.Contains(s.String(), "its retry at 2026-11-28T12:00:00Z") {
		t.Errorf("no time of the retry in\n%s", s)
	}
}
