package drivertest

import (
	"fmt"
	"strings"
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

// Environment is a broker and what can be done to it. Bootstrap, CreateTopic, Produce and Committed must be there; the
// rest is nil where the environment cannot do it. All fail the test themselves.
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

	// Begin begins a transaction and produces within it; end commits or aborts it.
	Begin func(t testing.TB, topic string, records ...Record) (end func(commit bool))
	// Compacted makes a topic of one partition with gaps that compaction left, and returns the offsets of the records
	// that are still there.
	Compacted     func(t testing.TB, topic string) []int64
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
}

// Record is a record to produce.
type Record struct {
	Partition  int32
	Key, Value []byte
	Headers    []event.Header
	// Timestamp is in milliseconds since the Unix epoch, 0 = now.
	Timestamp int64
}

// needs names what a case needs of its environment.
type needs string

const (
	needBegin           needs = "Begin"
	needCompacted       needs = "Compacted"
	needDeleteTopic     needs = "DeleteTopic"
	needAddPartitions   needs = "AddPartitions"
	needDeleteRecords   needs = "DeleteRecords"
	needKick            needs = "Kick"
	needMoveCoordinator needs = "MoveCoordinator"
	needMoveLeader      needs = "MoveLeader"
	needStop            needs = "Stop"
	needFreeze          needs = "Freeze"
)

func (e *Environment) can(n needs) bool {
	switch n {
	case needBegin:
		return e.Begin != nil
	case needCompacted:
		return e.Compacted != nil
	case needDeleteTopic:
		return e.DeleteTopic != nil
	case needAddPartitions:
		return e.AddPartitions != nil
	case needDeleteRecords:
		return e.DeleteRecords != nil
	case needKick:
		return e.Kick != nil
	case needMoveCoordinator:
		return e.MoveCoordinator != nil
	case needMoveLeader:
		return e.MoveLeader != nil
	case needStop:
		return e.Stop != nil && e.Start != nil
	case needFreeze:
		return e.Freeze != nil && e.Thaw != nil
	}
	return false
}

// testCase is one rule of the contract.
type testCase struct {
	name  string
	needs []needs
	run   func(*kit)
}

// Run runs every case of the contract as a subtest.
func Run(t *testing.T, target Target) {
	t.Helper()
	if target.Other == nil {
		target.Other = target.Driver
	}
	if target.Patience <= 0 {
		target.Patience = 20 * time.Second
	}
	all := make(map[string]bool)
	for _, group := range [][]testCase{groupCases, staticCases, readCases, positionCases, offsetCases, topicCases, faultCases, closeCases} {
		for _, c := range group {
			all[c.name] = true
			t.Run(c.name, func(t *testing.T) { runCase(t, target, c) })
		}
	}
	for name := range target.Skip {
		if !all[name] {
			t.Errorf("Target.Skip names %q, which is no case", name)
		}
	}
}

func runCase(t *testing.T, target Target, c testCase) {
	if why, ok := target.Skip[c.name]; ok {
		t.Skipf("known not to pass: %s", why)
	}
	env := target.Environment(t)
	if env.SessionTimeout <= 0 {
		env.SessionTimeout = 6 * time.Second
	}
	for _, n := range c.needs {
		if !env.can(n) {
			t.Skipf("the environment %q cannot %s", env.Name, n)
		}
	}
	k := &kit{T: t, target: target, env: env, owners: newOwners()}
	// A name of its own for each run: an environment may outlive the case.
	unique := fmt.Sprintf("%s-%d", strings.NewReplacer("/", "-", " ", "-", ",", "", "#", "-").Replace(c.name), time.Now().UnixNano())
	k.group, k.prefix = "g-"+unique, "t-"+unique
	c.run(k)
}
