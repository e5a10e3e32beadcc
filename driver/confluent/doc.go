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
// # Defaults that are not librdkafka's
//
// Lambda reads with the Java client. Where librdkafka's defaults differ from that client's, this driver decides:
//
//   - check.crcs is true, as in Java, and cannot be turned off: librdkafka would deliver altered bytes as good records.
//   - socket.timeout.ms is 30 s (Java's request.timeout.ms), not 60 s; socket.connection.setup.timeout.ms 10 s, not 30 s.
//   - reconnect.backoff.ms is 50 ms and reconnect.backoff.max.ms 1 s, as in Java, not 100 ms and 10 s.
//   - socket.keepalive.enable is true, as in Java.
//   - auto.offset.reset is error: a position that does not exist is the engine's to decide.
//   - partition.assignment.strategy is cooperative-sticky; Java's default is range, then cooperative-sticky.
//   - fetch.queue.backoff.ms is 2 ms, not 1 s; what librdkafka queues follows from Config.BufferBytes.
//   - enable.metrics.push is false: the driver does not report about its process to the broker.
//   - Left at librdkafka's: allow.auto.create.topics is false (true in Java: a subscription should not make topics),
//     connections.max.idle.ms is 0 (Java: 9 minutes; the broker closes idle connections itself, after 10),
//     fetch.error.backoff.ms 500 ms (Java: 100 ms).
//
// What the engine sets through Config is the same for every driver.
//
// # What librdkafka cannot do
//
// A commit goes out with the member id and the generation that librdkafka has by then: a process that was frozen past its
// session may have one of an earlier life accepted when librdkafka has joined again meanwhile. The driver refuses a commit
// whose partitions were assigned to another member id than the one of now, or in another assignment than
// Commit.Assignment says, and one whose assignment librdkafka knows to be lost; between that look and the request a moment
// remains.
//
// A batch whose checksum is right and that does not parse stops its partition without a word: the driver looks each minute
// for partitions that stand still while their logs go on, and tells of those that do for two to three minutes. A header's
// name that has a NUL in it is cut there where its value is null, or where the records come through confluent-kafka-go's Poll.
//
// Where the group's coordinator comes back at another address under the same broker id, and no other broker can say so,
// librdkafka dials the old address for ever. The driver notices within a minute or so, and Poll fails with driver.ErrReplace.
//
// Config.Dialer is refused: librdkafka opens its own sockets. Under read_committed the end of the log is known
// only at the end (Run.End is -1 on the way there): librdkafka keeps the last stable offset to itself. A commit
// is tried until a coordinator answers, and librdkafka can be closed only then: Close leaves it behind when its context
// ends first, or three seconds after the Listener has returned. After a fatal error (another member took the same
// group.instance.id) librdkafka cannot be closed: Close says so and leaves its threads behind.
package confluent
