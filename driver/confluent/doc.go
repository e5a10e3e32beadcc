// Package confluent drives Kafka through github.com/confluentinc/confluent-kafka-go/v2, which is librdkafka.
//
// The package needs cgo. In a build without it (CGO_ENABLED=0) the package is empty: there is no Driver, so that a
// program which asks for it fails to compile rather than to run. Use package driver/franz there.
//
// # How it reads
//
// A partition that the group assigns stays out of librdkafka's own assignment until Start names its offset: so
// nothing is fetched, looked up or reset before the engine has decided where to begin. librdkafka takes part in the
// group with what the group gave it, not with what it fetches, so a held partition is owned like any other.
//
// Everything that changes the assignment, a pause or a position runs on the poll goroutine: Start, Pause and Resume
// put their wish in a list, and Poll, which waits in slices of a few milliseconds, carries it out. librdkafka's wait
// cannot be interrupted from Go, and its calls are not free of races when the group rebalances meanwhile.
//
// On Linux Poll takes up to 256 records of librdkafka's queue in one call of C, where confluent-kafka-go's Poll makes
// several calls for each record: twice the records a second at 100 bytes. For that it reads the client's handles, which
// are unexported, by reflection, and calls librdkafka's own functions; where one of these is not what it should be, and on
// other systems, it reads through confluent-kafka-go's Poll. WithClientPoll always does.
//
// # What librdkafka cannot do
//
// Config.Dialer is refused: librdkafka opens its own sockets. Under read_committed the end of the log is known
// only at the end (Run.End is -1 on the way there): librdkafka keeps the last stable offset to itself. A commit
// is tried until a coordinator answers, and librdkafka can be closed only then: Close leaves it behind when its context
// ends first. After a fatal error (another member took the same group.instance.id) librdkafka cannot be closed: Close says so and leaves its
// threads behind.
package confluent
