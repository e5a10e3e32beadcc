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

// State is the mapping's state, in Lambda's words.
type State string

// The states of a mapping. Lambda's Deleting has no counterpart: a Runner that ends is Disabled.
const (
	// Creating: Run has begun, and the group has not assigned and started partitions yet.
	Creating State = "Creating"
	// Enabling: Resume, or Update with Enabled true, is taking effect.
	Enabling State = "Enabling"
	// Enabled: records are polled and handled.
	Enabled State = "Enabled"
	// Disabling: Pause, a stop, or Update with Enabled false; what is in flight is being finished.
	Disabling State = "Disabling"
	// Disabled: nothing is handled.
	Disabled State = "Disabled"
	// Updating: Update is taking effect.
	Updating State = "Updating"
)

// The values of StateTransitionReason.
const (
	// ReasonUserInitiated is Lambda's reason for what the user did.
	ReasonUserInitiated = "USER_INITIATED"
	// ReasonConfigNotValid, ReasonAuthn, ReasonAuthz and ReasonFunctionConfigNotValid are Lambda's codes for a mapping that
	// does not work: see auth.Code.
	ReasonConfigNotValid         = string(auth.CodeConfigNotValid)
	ReasonAuthn                  = string(auth.CodeAuthnError)
	ReasonAuthz                  = string(auth.CodeAuthzError)
	ReasonFunctionConfigNotValid = string(auth.CodeFunctionConfigNotValid)
)

// Status is a snapshot of a Runner.
type Status struct {
	// Time is when what follows of records and partitions was true: at the latest a tenth of a second ago, unless the mapping is
	// busy with something that takes longer, such as a hook. Zero when nothing is known yet.
	Time                                time.Time
	UUID, FunctionName, ConsumerGroupId string
	// Driver is the name of the driver in use, Client the Kafka client that it drives.
	Driver                string
	Client                ClientStatus
	State                 State
	StateTransitionReason string
	// LastProcessingResult is that of the worst condition that stands, else of the last invocation.
	LastProcessingResult string
	// Conditions are what is wrong and goes on being wrong, worst first. A handler that fails is not among them.
	Conditions []Condition
	// Diagnosis says what is beneath a LastProcessingResult that tells of the event source: which ACL is missing, which name
	// the certificate lacks. Until the first assignment its Code is the StateTransitionReason.
	Diagnosis auth.Diagnosis
	// Credentials says which are in use.
	Credentials CredentialsStatus
	// Destination says how the on-failure destination stands; zero without one.
	Destination DestinationStatus
	// LastModified is when the state or the mapping changed last.
	LastModified time.Time
	// Workers is how many invocations may run at a time, InFlight how many do.
	Workers, InFlight int
	// Pollers is the number of members of the group in this process.
	Pollers int
	// Scaling is the last decision of the scaling policy.
	Scaling ScalingStatus
	// BufferedBytes is the memory of the records held, BufferLimit the budget of WithBufferBytes.
	BufferedBytes, BufferLimit int
	// CircuitOpen: WithCircuitBreaker has stopped the intake, or lets through one batch at a time to try it (half-open).
	CircuitOpen bool
	// OffsetLag is Lambda's metric by topic: the sum over this process's partitions of the log's end less the commit.
	// MaxOffsetLag and SumOffsetLag are over all of them. Partitions whose lag is not known yet do not count.
	OffsetLag                  map[string]int64
	MaxOffsetLag, SumOffsetLag int64
	// OldestAge is the age of the oldest record that is not resolved, by its timestamp, by its arrival when it has none; 0
	// when there is none. Of a record that is not received yet it is how long nothing has come, which is less.
	OldestAge time.Duration
	// Slow are the invocations that run, and have for five times as long as 99 of 100 took, and a second at least; the oldest
	// first. There are none before twenty have ended.
	Slow []SlowInvocation
	// Partitions are those assigned to this process, by topic and number; WhoBlocks gives those that wait, worst first.
	Partitions []PartitionStatus
	Metrics    Metrics
}

// ClientStatus says which Kafka client reads the records; zero where the driver does not say.
type ClientStatus struct {
	// Name and Version are the client library's, such as "librdkafka" and "2.11.1".
	Name, Version string
	// Reading says how records are taken from it: "Poll", or "queue" where driver/confluent reads librdkafka's queue, which is
	// faster.
	Reading string
}

// DestinationStatus says how an on-failure destination stands.
type DestinationStatus struct {
	// Name is what DestinationConfig.OnFailure names, or the String of WithDestination's.
	Name string
	destination.SenderStatus
}

// CredentialsStatus says which credentials a Runner uses, without a secret.
type CredentialsStatus struct {
	// InUse describes them; empty for none.
	InUse string
	// Protocol is Kafka's security.protocol, PLAINTEXT without credentials, Mechanism its sasl.mechanism, empty for none.
	// Principal is who the brokers take this client for, in the words of an ACL; empty where only they know.
	Protocol, Mechanism, Principal string
	// Since is when they were put in force, Rotations how often others have taken the place of the first ones.
	Since     time.Time
	Rotations int
	// Expires is when the client's certificate ends, or the last of the CAs that brokers are checked against, whichever is
	// first; DaysLeft are the whole days until then. Both are zero without certificates.
	Expires  time.Time
	DaysLeft int
	// Err is why the secret as it now stands is not used: it cannot be read, or the brokers refused it when it was tried;
	// the credentials before it stay in use. It is nil when the newest are in use.
	Err error
}

// ScalingStatus is the last decision of the scaling policy; see WithScaler. It is zero before the first.
type ScalingStatus struct {
	// Policy is the policy's type, such as "*scaling.Lambda".
	Policy string
	// Current is the capacity that the decision started from, Target what it asks for.
	Current, Target scaling.Capacity
	// Reason says why, with its numbers.
	Reason scaling.Reason
	// Since is when the target changed last, Decided when the policy was asked last.
	Since, Decided time.Time
	// LagTime is when the lag that it decided on was true, LagAge how long ago that is now.
	LagTime time.Time
	LagAge  time.Duration
	// OldestAge was the age of the oldest record that a worker could have resolved.
	OldestAge time.Duration
}

// PartitionStatus is a snapshot of one partition.
type PartitionStatus struct {
	event.TopicPartition
	// Position is the first offset that is not resolved, Committed what the group has, End the log's end as last seen; -1
	// where they are not known.
	Position, Committed, End int64
	// Received is the offset behind the last record received, -1 where it is not known.
	Received int64
	// Lag is End less Committed, or less Position before the first commit, never negative; -1 where it is not known.
	Lag int64
	// EndSeen is when End was confirmed last.
	EndSeen time.Time
	// OldestAge is Status.OldestAge of this partition.
	OldestAge time.Duration
	// Buffered is the number of records received and not resolved.
	Buffered int
	// Starting: its start is being looked up. Draining: it is about to be given away.
	Starting, Draining bool
	// Paused says why it is not fetched, empty when it is: "paused", "buffer full", "circuit open", comma-joined.
	Paused string
	// InFlightSince is when the running invocation of its records began, zero when there is none.
	InFlightSince time.Time
	// Attempts counts failed tries of its head record in a row, FirstFailure is when they began, NextTry when the next
	// comes, LastError what the last one said.
	Attempts              int
	FirstFailure, NextTry time.Time
	LastError             error
	// Head is the first record that is not resolved, at Position, and what it waits for.
	Head Head
	// Condition is the worst one that stands of this partition or its topic, nil when there is none.
	Condition *Condition
}

// String says how the partition stands; without it, %v of a Status would show its name alone.
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
		fmt.Fprintf(&s, ", %d failures since %s: %v", p.Attempts, p.FirstFailure.Format(time.RFC3339), p.LastError)
	}
	if p.Condition != nil {
		s.WriteString(", " + p.Condition.String())
	}
	return s.String()
}
