package drivertest

import (
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/event"
)

// Target says what is tested, and on what.
type Target struct {
	// Driver returns the driver under test.
	Driver func(Environment) driver.Driver
	// Other returns the driver of the second members of groups; nil means the same driver. Use another one if possible: an
	// application has mixed groups while it moves from one client to the other.
	Other func(Environment) driver.Driver
	// Environment returns the broker of one case. It may return the same one for all cases.
	Environment func(testing.TB) Environment
	// Skip names cases that this driver is known not to pass on this environment, each with the reason.
	Skip map[string]string
	// Patience bounds every wait for something to happen. The default is 20 s.
	Patience time.Duration
}

// Environment is a broker and what can be done to it. Bootstrap, CreateTopic, Produce and Committed are required; Lacks
// names every other field that is nil. The functions fail the test themselves.
type Environment struct {
	// Name is short: "memory", "kfake", "kafka 4.2.1".
	Name      string
	Bootstrap []string
	// SessionTimeout is the shortest that the broker accepts. The default is 6 s, Apache Kafka's.
	SessionTimeout time.Duration

	// Background ignores goroutines of the environment itself, which a consumer's Close does not end.
	Background []goleak.Option

	// CreateTopic creates a topic; each config is "key=value".
	CreateTopic func(t testing.TB, topic string, partitions int32, configs ...string)
	Produce     func(t testing.TB, topic string, records ...Record)
	// Committed reads a group's commit; its Offset is -1 if there is none.
	Committed func(t testing.TB, group string, tp driver.TopicPartition) driver.Committed

	// Lacks names what the environment cannot do, each with the reason: a field below that is nil, or "Headers",
	// "StaticMembers" or "TopicIDs". A case that needs it is skipped; a case that needs a nil field that is not named
	// fails.
	Lacks map[string]string

	// Begin begins a transaction and produces within it; end commits or aborts it.
	Begin func(t testing.TB, topic string, records ...Record) (end func(commit bool))
	// Compacted creates a topic with one partition in which compaction left gaps, and returns the offsets of the records
	// that remain.
	Compacted func(t testing.TB, topic string) []int64
	// AppendTime creates a topic with one partition whose records have the time of their append.
	AppendTime    func(t testing.TB, topic string)
	DeleteTopic   func(t testing.TB, topic string)
	AddPartitions func(t testing.TB, topic string, total int32)
	// DeleteRecords moves a log's start offset.
	DeleteRecords func(t testing.TB, tp driver.TopicPartition, before int64)
	// Kick ends a membership without the member's knowledge.
	Kick func(t testing.TB, group string, m driver.Member)
	// MoveCoordinator moves the group to another coordinator, MoveLeader the partition to another leader.
	MoveCoordinator func(t testing.TB, group string)
	MoveLeader      func(t testing.TB, tp driver.TopicPartition)
	// Stop stops the broker; Start starts it again with its data.
	Stop, Start func(t testing.TB)
	// Freeze keeps connections open but blocks all traffic; Thaw ends that.
	Freeze, Thaw func(t testing.TB)
	// Spoil turns on or off the alteration of the words "spoil this" in record values on their way to the client.
	Spoil func(t testing.TB, on bool)
}

// Record is a record to produce.
type Record struct {
	Partition  int32
	Key, Value []byte
	Headers    []event.Header
	// Timestamp is in milliseconds since the Unix epoch; 0 means now.
	Timestamp int64
}

// Names of what a case can need from its environment, as used in Environment.Lacks.
const (
	needBegin           = "Begin"
	needCompacted       = "Compacted"
	needAppendTime      = "AppendTime"
	needDeleteTopic     = "DeleteTopic"
	needAddPartitions   = "AddPartitions"
	needDeleteRecords   = "DeleteRecords"
	needKick            = "Kick"
	needMoveCoordinator = "MoveCoordinator"
	needMoveLeader      = "MoveLeader"
	needStop            = "Stop"
	needFreeze          = "Freeze"
	needSpoil           = "Spoil"
	// Properties of the broker's protocol.
	needHeaders  = "Headers"
	needStatic   = "StaticMembers"
	needTopicIDs = "TopicIDs"
)

// can reports for each need whether the environment itself meets it.
func (e *Environment) can() map[string]bool {
	return map[string]bool{
		needBegin:           e.Begin != nil,
		needCompacted:       e.Compacted != nil,
		needAppendTime:      e.AppendTime != nil,
		needDeleteTopic:     e.DeleteTopic != nil,
		needAddPartitions:   e.AddPartitions != nil,
		needDeleteRecords:   e.DeleteRecords != nil,
		needKick:            e.Kick != nil,
		needMoveCoordinator: e.MoveCoordinator != nil,
		needMoveLeader:      e.MoveLeader != nil,
		needStop:            e.Stop != nil && e.Start != nil,
		needFreeze:          e.Freeze != nil && e.Thaw != nil,
		needSpoil:           e.Spoil != nil,
		needHeaders:         true,
		needStatic:          true,
		needTopicIDs:        true,
	}
}

// testCase is one rule of the contract.
type testCase struct {
	name  string
	needs []string
	// lacks returns the missing feature that keeps the case from running, or "" if it can run.
	lacks func(driver.Features) string
	run   func(*kit)
}
