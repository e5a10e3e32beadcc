package drivertest

import (
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/event"
)

// Target is what is tested, and on what.
type Target struct {
	// Driver makes the driver under test.
	Driver func(Environment) driver.Driver
	// Other makes the driver of the second members of groups, nil = the same. It is another driver where it can be: mixed
	// groups are what an application sees while it moves from one client to the other.
	Other func(Environment) driver.Driver
	// Environment makes the broker of one case. It may lend the same one to all cases.
	Environment func(testing.TB) Environment
	// Skip names cases that this driver is known not to pass on this environment, each with the reason.
	Skip map[string]string
	// Patience bounds every wait for something to happen. Default 20 s.
	Patience time.Duration
}

// Environment is a broker and what can be done to it. Bootstrap, CreateTopic, Produce and Committed must be there; of the
// rest, what is nil is named in Lacks. All fail the test themselves.
type Environment struct {
	// Name is short: "memory", "kfake", "kafka 4.2.1".
	Name      string
	Bootstrap []string
	// SessionTimeout is the shortest that the broker accepts. Default 6 s, Apache Kafka's.
	SessionTimeout time.Duration

	// Background are goroutines of the environment's own that a consumer's Close does not end.
	Background []goleak.Option

	// CreateTopic makes a topic; each config is "key=value".
	CreateTopic func(t testing.TB, topic string, partitions int32, configs ...string)
	Produce     func(t testing.TB, topic string, records ...Record)
	// Committed reads a group's commit, Offset -1 where there is none.
	Committed func(t testing.TB, group string, tp driver.TopicPartition) driver.Committed

	// Lacks names what the environment cannot do, each with the reason: a field below that is nil, or "Headers",
	// "StaticMembers" or "TopicIDs". A case that needs it is skipped; one that needs what is nil and not named fails.
	Lacks map[string]string

	// Begin begins a transaction and produces within it; end commits or aborts it.
	Begin func(t testing.TB, topic string, records ...Record) (end func(commit bool))
	// Compacted makes a topic of one partition with gaps that compaction left, and returns the offsets of the records
	// that are still there.
	Compacted func(t testing.TB, topic string) []int64
	// AppendTime makes a topic of one partition whose records have the time of their append.
	AppendTime    func(t testing.TB, topic string)
	DeleteTopic   func(t testing.TB, topic string)
	AddPartitions func(t testing.TB, topic string, total int32)
	// DeleteRecords moves a log's start.
	DeleteRecords func(t testing.TB, tp driver.TopicPartition, before int64)
	// Kick ends a membership behind the member's back.
	Kick func(t testing.TB, group string, m driver.Member)
	// MoveCoordinator gives the group another coordinator, MoveLeader the partition another leader.
	MoveCoordinator func(t testing.TB, group string)
	MoveLeader      func(t testing.TB, tp driver.TopicPartition)
	// Stop takes the broker away, Start brings it back with what it knew.
	Stop, Start func(t testing.TB)
	// Freeze keeps connections open and lets nothing through, Thaw lets it flow again.
	Freeze, Thaw func(t testing.TB)
	// Spoil has the words "spoil this" of a record's value be altered on their way to the client, or no longer.
	Spoil func(t testing.TB, on bool)
}

// Record is a record to produce.
type Record struct {
	Partition  int32
	Key, Value []byte
	Headers    []event.Header
	// Timestamp is in milliseconds since the Unix epoch, 0 = now.
	Timestamp int64
}

// What a case can need of its environment, by the names that Environment.Lacks goes by.
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
	// Of the broker's protocol.
	needHeaders  = "Headers"
	needStatic   = "StaticMembers"
	needTopicIDs = "TopicIDs"
)

// can says what of the environment's own needs is there.
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
	// lacks names what the driver's Features would have to say for the case to run; empty: it runs.
	lacks func(driver.Features) string
	run   func(*kit)
}
