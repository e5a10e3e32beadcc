// Package confluent drives Kafka through github.com/confluentinc/confluent-kafka-go/v2, a wrapper of librdkafka.
//
// The package needs cgo. In a build without it (CGO_ENABLED=0) the package is empty: there is no Driver, so a program
// that uses it fails to compile instead of failing at run time. Use package driver/franz there.
//
// # How it reads
//
// A partition that the group assigns stays out of librdkafka's own assignment until Start names its offset, so nothing
// is fetched, looked up or reset before the engine has decided where to begin. librdkafka takes part in the group with
// what the group assigned, not with what it fetches, so a held partition is owned like any other.
//
// Every change of the assignment, a pause or a position is made on the poll goroutine: Start, Pause and Resume queue a
// request, and Poll, which waits in slices of a few milliseconds, applies it. librdkafka's wait cannot be interrupted
// from Go, and its calls have races with a concurrent rebalance.
//
// On Linux, Poll takes up to 256 records from librdkafka's queue in one C call, while confluent-kafka-go's Poll makes
// several calls per record: this doubles the records per second at 100 bytes. To do so, it reads the client's
// unexported handles by reflection and calls librdkafka's own functions. If one of these is not as expected, and on
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
//   - auto.offset.reset is error: the engine decides about a position that does not exist.
//   - partition.assignment.strategy is cooperative-sticky; Java's default is range, then cooperative-sticky.
//   - fetch.queue.backoff.ms is 2 ms, not 1 s; the size of librdkafka's queue follows from Config.BufferBytes.
//   - enable.metrics.push is false: the driver sends no metrics about its process to the broker.
//   - Left at librdkafka's defaults: allow.auto.create.topics is false (true in Java: a subscription should not create
//     topics), connections.max.idle.ms is 0 (Java: 9 minutes; the broker closes idle connections itself, after 10),
//     fetch.error.backoff.ms is 500 ms (Java: 100 ms).
//
// What the engine sets through Config is the same for every driver.
//
// # What librdkafka cannot do
//
// A commit is sent with the member ID and the generation that librdkafka has at that moment. So a process that was
// frozen past its session may have a commit of an earlier membership accepted, if librdkafka has rejoined meanwhile.
// The driver refuses a commit whose partitions were assigned to another member ID than the current one, or in another
// assignment than Commit.Assignment says. It also refuses a commit whose assignment librdkafka knows to be lost. A
// short window remains between that check and the request.
//
// A batch whose checksum is right but that does not parse stops its partition silently. Each minute the driver looks
// for partitions that do not advance while their logs grow, and reports one after two to three minutes. A header name
// that contains a NUL is cut there if its value is null, or if the records come through confluent-kafka-go's Poll.
//
// If the group's coordinator comes back at another address under the same broker ID, and no other broker can report the
// new one, librdkafka dials the old address forever. The driver notices within about a minute, and Poll fails with
// driver.ErrReplace.
//
// Config.Dialer is refused: librdkafka opens its own sockets. Under read_committed the end of the log is known only
// when reading reaches it (until then Run.End is -1): librdkafka does not expose the last stable offset. A commit is
// retried until a coordinator answers, and librdkafka can be closed only then: Close leaves it behind when its context
// ends first, or three seconds after the Listener has returned. After a fatal error (another member took the same
// group.instance.id) librdkafka cannot be closed: Close reports that and leaves its threads behind.
package confluent
