//go:build cgo

package confluent

/*
#include "queue_linux.h"
*/
import "C"

import (
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"time"
	"unsafe"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/event"
)

// queue reads librdkafka's queue of a consumer, many records per call. confluent-kafka-go's own Poll switches between
// Go and C several times per record, which is most of the cost of a small record: see bench.
//
// It reads the client's two handles from unexported fields and calls librdkafka's public functions, as linked in by
// confluent-kafka-go. If a handle or a function is missing, there is no queue, and Poll is used instead. Both do the
// same in the same order; the conformance suite runs on both.
type queue struct {
	rk  *C.rd_kafka_t
	rkq *C.rd_kafka_queue_t
	// buf is C memory for the records of one call.
	buf *C.esm_record
}

// perCall is how many records one call takes at most.
const perCall = 256

// testedVersions are the versions of librdkafka for which the conformance suite was run with this way of reading.
var testedVersions = []int{0x020b01ff}

// newQueue returns nil if the client's Poll must be used, and logs why.
func newQueue(client *kafka.Consumer, logger *slog.Logger) *queue {
	why := noQueue()
	if why == "" {
		if q := queueOf(client); q != nil {
			return q
		}
		why = unreachable
	}
	_, version := kafka.LibraryVersion()
	logger.Warn("reading through confluent-kafka-go's Poll: "+why, "version", version)
	return nil
}

// unreachable is the reason if the client or the library is not as expected.
const unreachable = "librdkafka's queue cannot be reached"

// noQueue returns why queues are not read in this program, or "" if they are.
func noQueue() string {
	if version, _ := kafka.LibraryVersion(); !slices.Contains(testedVersions, version) {
		return "the faster way was not tested with this librdkafka"
	}
	if rk, rkq := handlesOf(new(kafka.Consumer)); C.esm_available() == 0 || !pointerTo(rk, "rd_kafka_s") || !pointerTo(rkq, "rd_kafka_queue_s") {
		return unreachable
	}
	return ""
}

// handlesOf returns the client's librdkafka handles, or invalid Values if it has no such fields.
func handlesOf(client *kafka.Consumer) (rk, rkq reflect.Value) {
	handle := reflect.ValueOf(client).Elem().FieldByName("handle")
	if handle.Kind() != reflect.Struct {
		return reflect.Value{}, reflect.Value{}
	}
	return handle.FieldByName("rk"), handle.FieldByName("rkq")
}

// queueOf returns the queue of a client; noQueue must have returned "".
func queueOf(client *kafka.Consumer) *queue {
	rk, rkq := handlesOf(client)
	if rk.IsNil() || rkq.IsNil() {
		return nil
	}
	buf := (*C.esm_record)(C.calloc(perCall, C.sizeof_esm_record))
	if buf == nil {
		return nil
	}
	return &queue{rk: (*C.rd_kafka_t)(rk.UnsafePointer()), rkq: (*C.rd_kafka_queue_t)(rkq.UnsafePointer()), buf: buf}
}

// pointerTo reports whether v is a pointer to the named C struct; it may be nil.
func pointerTo(v reflect.Value, name string) bool {
	return v.Kind() == reflect.Pointer && strings.HasSuffix(v.Type().Elem().Name(), "_struct_"+name)
}

// free frees the C memory. next must not be called after it.
func (q *queue) free() {
	if q != nil {
		C.free(unsafe.Pointer(q.buf))
	}
}

// next takes up to perCall records, or fewer up to another event, and that event. It returns false if nothing came.
func (q *queue) next(c *consumer, wait time.Duration) bool {
	var other *C.rd_kafka_event_t
	n := C.esm_poll(q.rkq, C.int(wait.Milliseconds()), q.buf, perCall, C.int64_t(maxBytes-c.fetched.bytes), &other) //nolint:gocritic // of what cgo makes of it
	if n > 0 {
		// What these point to belongs to librdkafka until esm_done.
		records := unsafe.Slice(q.buf, n)
		for i := range records {
			q.record(c, &records[i])
		}
		C.esm_done(q.buf, n)
	}
	if other == nil {
		return n > 0
	}
	defer C.rd_kafka_event_destroy(other)
	switch C.rd_kafka_event_type(other) {
	case C.ESM_EVENT_REBALANCE:
		_ = c.rebalance(c.client, rebalanceOf(other)) // it reports its errors itself
	case C.ESM_EVENT_ERROR:
		c.handle(q.failure(other))
	case C.ESM_EVENT_OAUTHBEARER_TOKEN_REFRESH:
		c.handle(kafka.OAuthBearerTokenRefresh{Config: C.GoString(C.rd_kafka_event_config_string(other))})
	default:
		c.handle(unknownEvent(C.GoString(C.rd_kafka_event_name(other))))
	}
	return true
}

// unknownEvent is the name of an event of another type.
type unknownEvent string

// String returns the name.
func (e unknownEvent) String() string { return string(e) }

// record adds one record.
func (q *queue) record(c *consumer, from *C.esm_record) {
	m := from.message
	// The string is C memory: partitionOf compares it and does not keep it.
	topic := unsafe.String((*byte)(unsafe.Pointer(from.topic)), from.topic_length)
	if m.err != 0 {
		c.report(classed(driver.TopicPartition{Topic: strings.Clone(topic), Partition: int32(m.partition)},
			kafka.NewError(kafka.ErrorCode(m.err), C.GoStringN((*C.char)(m.payload), C.int(m.len)), false)))
		return
	}
	p := c.partitionOf(topic, int32(m.partition))
	if p == nil {
		return
	}
	r := c.place(p, int64(m.offset), int32(from.leader_epoch))
	if r == nil {
		return
	}
	r.Key, r.Value = copied(m)
	switch from.timestamp_type {
	case C.ESM_CREATE_TIME:
		r.Timestamp = int64(from.timestamp)
	case C.ESM_LOG_APPEND_TIME:
		r.TimestampType, r.Timestamp = event.LogAppendTime, int64(from.timestamp)
	default:
		r.TimestampType, r.Timestamp = event.NoTimestampType, -1
	}
	if from.header_count > 0 {
		r.Headers = headers(from)
	}
	c.placed(p, r)
}

// joinBelow is the size below which key and value share one allocation.
const joinBelow = 4096

// copied returns Go copies of key and value, nil if there is none.
func copied(m *C.esm_message) (key, value []byte) {
	if k, n := int(m.key_len), int(m.len); m.key != nil && m.payload != nil && k+n < joinBelow {
		both := make([]byte, k+n)
		copy(both, unsafe.Slice((*byte)(m.key), k))
		copy(both[k:], unsafe.Slice((*byte)(m.payload), n))
		return both[:k:k], both[k:]
	}
	return bytesOf(m.key, m.key_len), bytesOf(m.payload, m.len)
}

func bytesOf(p unsafe.Pointer, n C.size_t) []byte {
	if p == nil {
		return nil
	}
	return C.GoBytes(p, C.int(n))
}

func headers(from *C.esm_record) []event.Header {
	found := make([]C.esm_header, from.header_count)
	C.esm_headers(from.headers, &found[0], from.header_count)
	list := make([]event.Header, len(found))
	for i, h := range found {
		list[i] = event.Header{Key: C.GoStringN(h.name, C.int(h.name_length)), Value: bytesOf(h.value, h.size)}
	}
	return list
}

// rebalanceOf converts a rebalance event into confluent-kafka-go's form.
func rebalanceOf(ev *C.rd_kafka_event_t) kafka.Event {
	var partitions []kafka.TopicPartition
	if list := C.rd_kafka_event_topic_partition_list(ev); list != nil {
		for _, p := range unsafe.Slice(list.elems, list.cnt) {
			topic := C.GoString(p.topic)
			partitions = append(partitions, kafka.TopicPartition{Topic: &topic, Partition: int32(p.partition), Offset: kafka.Offset(p.offset)})
		}
	}
	if kafka.ErrorCode(C.rd_kafka_event_error(ev)) == kafka.ErrAssignPartitions {
		return kafka.AssignedPartitions{Partitions: partitions}
	}
	return kafka.RevokedPartitions{Partitions: partitions}
}

// failure converts an error event into confluent-kafka-go's form; the end of a partition is one.
func (q *queue) failure(ev *C.rd_kafka_event_t) kafka.Event {
	code := kafka.ErrorCode(C.rd_kafka_event_error(ev))
	switch {
	case code == kafka.ErrPartitionEOF:
		p := C.rd_kafka_event_topic_partition(ev)
		if p == nil {
			return nil
		}
		defer C.rd_kafka_topic_partition_destroy(p)
		topic := C.GoString(p.topic)
		return kafka.PartitionEOF{Topic: &topic, Partition: int32(p.partition), Offset: kafka.Offset(p.offset)}
	case code == kafka.ErrBadMsg || code == kafka.ErrBadCompression:
		p := C.rd_kafka_event_topic_partition(ev)
		if p == nil {
			break
		}
		defer C.rd_kafka_topic_partition_destroy(p)
		return unreadable{
			tp:  driver.TopicPartition{Topic: C.GoString(p.topic), Partition: int32(p.partition)},
			err: kafka.NewError(code, C.GoString(C.rd_kafka_event_error_string(ev)), false),
		}
	case C.rd_kafka_event_error_is_fatal(ev) != 0:
		var text [512]C.char
		code = kafka.ErrorCode(C.rd_kafka_fatal_error(q.rk, &text[0], C.size_t(len(text))))
		return kafka.NewError(code, C.GoString(&text[0]), true)
	}
	return kafka.NewError(code, C.GoString(C.rd_kafka_event_error_string(ev)), false)
}
