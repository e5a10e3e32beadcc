package observe

import (
	"fmt"
	"strings"
	"time"

	"github.com/esm-go/esm/auth"
	"github.com/esm-go/esm/destination"
	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/scaling"
)

// State is the state of a mapping, under Lambda's names.
type State string

// The states of a mapping. There is no Deleting: a Runner that has ended is Disabled.
const (
	// Creating: Run has started, but no assignment of the group has started yet.
	Creating State = "Creating"
	// Enabling: Resume, or Update with Enabled true, is taking effect.
	Enabling State = "Enabling"
	// Enabled: records are polled and handled.
	Enabled State = "Enabled"
	// Disabling: Pause, a stop, or Update with Enabled false; the invocations in flight are being finished.
	Disabling State = "Disabling"
	// Disabled: nothing is polled or handled.
	Disabled State = "Disabled"
	// Updating: Update is taking effect.
	Updating State = "Updating"
)

// The values of StateTransitionReason.
const (
	// ReasonUserInitiated is Lambda's reason for a change by the user.
	ReasonUserInitiated = "USER_INITIATED"
	// ReasonConfigNotValid, ReasonAuthn, ReasonAuthz and ReasonFunctionConfigNotValid are Lambda's codes for a mapping that
	// does not work; see auth.Code.
	ReasonConfigNotValid         = string(auth.CodeConfigNotValid)
	ReasonAuthn                  = string(auth.CodeAuthnError)
	ReasonAuthz                  = string(auth.CodeAuthzError)
	ReasonFunctionConfigNotValid = string(auth.CodeFunctionConfigNotValid)
)

// Status is a snapshot of a Runner.
type Status struct {
	// Time is when the figures about records and partitions were taken. They are at most 100 ms old, or older while
	// something such as a slow hook blocks the mapping. Time is zero before the first figures.
	Time                                time.Time
	UUID, FunctionName, ConsumerGroupId string
	// Driver is the name of the driver in use, Client describes its Kafka client.
	Driver                string
	Client                ClientStatus
	State                 State
	StateTransitionReason string
	// LastProcessingResult is that of the worst condition, or, without conditions, that of the last invocation.
	LastProcessingResult string
	// Conditions are the lasting problems, worst first. A failing handler is not among them.
	Conditions []Condition
	// Diagnosis explains a LastProcessingResult about the event source, for example which ACL is missing, or which name the
	// certificate lacks. Until the first assignment its Code is the StateTransitionReason.
	Diagnosis auth.Diagnosis
	// Credentials describes the credentials in use.
	Credentials CredentialsStatus
	// Destination is the status of the on-failure destination; zero without one.
	Destination DestinationStatus
	// LastModified is when the state or the mapping last changed.
	LastModified time.Time
	// Workers is the number of invocations that may run at a time, InFlight the number that are running.
	Workers, InFlight int
	// Pollers is the number of members of the group in this process.
	Pollers int
	// Scaling is the last decision of the scaling policy.
	Scaling ScalingStatus
	// BufferedBytes is the memory of the buffered records, BufferLimit the budget of WithBufferBytes.
	BufferedBytes, BufferLimit int
	// CircuitOpen reports whether the circuit breaker has stopped the intake. It is also true while the breaker is
	// half-open and lets one batch through at a time.
	CircuitOpen bool
	// OffsetLag is Lambda's metric, by topic: the end of the log minus the committed offset, summed over this process's
	// partitions. MaxOffsetLag and SumOffsetLag are over all of its partitions. Partitions whose lag is unknown do not
	// count.
	OffsetLag                  map[string]int64
	MaxOffsetLag, SumOffsetLag int64
	// OldestAge is the age of the oldest unresolved record; 0 if there is none. It counts from the record's timestamp, or
	// from its arrival if it has no timestamp. The age of a record that has not been received is unknown; it is then the
	// time since the partition last delivered one, which is a lower bound.
	OldestAge time.Duration
	// Slow are the running invocations that have taken more than five times the 99th percentile, and at least a second,
	// oldest first. There are none before twenty invocations have ended.
	Slow []SlowInvocation
	// Partitions are those assigned to this process, sorted by topic and number. WhoBlocks returns those that wait, worst first.
	Partitions []PartitionStatus
	Metrics    Metrics
}

// ClientStatus describes the Kafka client that reads the records; zero if the driver does not describe it.
type ClientStatus struct {
	// Name and Version are the client library's, such as "librdkafka" and "2.11.1".
	Name, Version string
	// Reading is how records are read from the client: "Poll", or "queue" if driver/confluent reads librdkafka's queue,
	// which is faster.
	Reading string
}

// DestinationStatus is the status of an on-failure destination.
type DestinationStatus struct {
	// Name is that of DestinationConfig.OnFailure, or the String of the destination given to WithDestination.
	Name string
	destination.SenderStatus
}

// CredentialsStatus describes the credentials that a Runner uses. It contains no secret.
type CredentialsStatus struct {
	// InUse describes them; empty without credentials.
	InUse string
	// Protocol is Kafka's security.protocol, PLAINTEXT without credentials. Mechanism is its sasl.mechanism, empty without
	// SASL. Principal is the client's principal as ACLs name it; empty if only the brokers know it.
	Protocol, Mechanism, Principal string
	// Since is when they came into use. Rotations counts how often the credentials were replaced.
	Since     time.Time
	Rotations int
	// Expires is when the client's certificate expires, or the last of the CAs that verify brokers, whichever comes first.
	// DaysLeft is the number of whole days until then. Both are zero without certificates.
	Expires  time.Time
	DaysLeft int
	// Err is why the newest secret is not used: it could not be read, or the brokers refused it. The previous credentials
	// stay in use. It is nil if the newest are in use.
	Err error
}

// ScalingStatus is the last decision of the scaling policy; see WithScaler. It is zero before the first.
type ScalingStatus struct {
	// Policy is the policy's type, such as "*scaling.Lambda".
	Policy string
	// Current is the capacity at the decision, Target the capacity that it asks for.
	Current, Target scaling.Capacity
	// Reason is the reason, with its figures.
	Reason scaling.Reason
	// Since is when the target last changed, Decided when the policy last decided.
	Since, Decided time.Time
	// LagTime is when the lag that the decision is based on was measured, LagAge how long ago that was.
	LagTime time.Time
	LagAge  time.Duration
	// OldestAge is the age, at the decision, of the oldest record that a worker could have resolved.
	OldestAge time.Duration
}

// PartitionStatus is a snapshot of one partition.
type PartitionStatus struct {
	event.TopicPartition
	// Position is the first unresolved offset, Committed the group's committed offset, and End the end of the log as last
	// seen. Each is -1 if unknown.
	Position, Committed, End int64
	// Received is the offset after the last record received; -1 if unknown.
	Received int64
	// Lag is End minus Committed, or minus Position before the first commit, but at least 0; -1 if unknown.
	Lag int64
	// EndSeen is when End was last confirmed.
	EndSeen time.Time
	// OldestAge is Status.OldestAge for this partition.
	OldestAge time.Duration
	// Buffered is the number of records received and not yet resolved.
	Buffered int
	// Starting: its start is being looked up. Draining: it is being revoked.
	Starting, Draining bool
	// Paused says why it is not fetched: "paused", "buffer full" and "circuit open", joined by commas. It is empty if the
	// partition is fetched.
	Paused string
	// InFlightSince is when the running invocation of its records began; zero if none is running.
	InFlightSince time.Time
	// Attempts counts how often its head record has failed in a row. FirstFailure is when the first of these failures
	// happened, NextTry when the next attempt is due, and LastError the error of the last failure.
	Attempts              int
	FirstFailure, NextTry time.Time
	LastError             error
	// Head is the first unresolved record, the one at Position, and what it waits for.
	Head Head
	// Condition is the worst condition of this partition or its topic; nil if there is none.
	Condition *Condition
}

// String returns the partition with its offsets, what it waits for and what is wrong with it.
func (p PartitionStatus) String() string {
	var s strings.Builder
	fmt.Fprintf(&s, "%s position %d committed %d end %d lag %d buffered %d", p.TopicPartition, p.Position, p.Committed, p.End, p.Lag, p.Buffered)
	for _, x := range []struct {
		is   bool
		word string
	}{{p.Starting, "starting"}, {p.Draining, "draining"}, {!p.InFlightSince.IsZero(), "in flight"}} {
		if x.is {
			s.WriteString(", " + x.word)
		}
	}
	if p.Paused != "" {
		s.WriteString(", not fetched: " + p.Paused)
	}
	if p.Attempts > 0 {
		fmt.Fprintf(&s, ", %s since %s: %v", many(p.Attempts, "failure"), p.FirstFailure.Format(time.RFC3339), p.LastError)
	}
	if p.Condition != nil {
		s.WriteString(", " + p.Condition.String())
	}
	return s.String()
}
