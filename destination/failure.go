package destination

import (
	"crypto/sha1"
	"encoding/binary"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/esm-go/esm/event"
)

// Condition says why records were given up: requestContext.condition.
type Condition string

const (
	// RetryAttemptsExhausted: the function failed once more than MaximumRetryAttempts allows, or refused the records for
	// good. Lambda's documents of Kafka topics have RetriesExhausted in its place; [Parse] makes one of the two.
	RetryAttemptsExhausted Condition = "RetryAttemptsExhausted"
	// RecordAgeExceeded: the records are older than MaximumRecordAgeInSeconds. Such a document has no responseContext,
	// however often the function was invoked.
	RecordAgeExceeded Condition = "RecordAgeExceeded"
	// MaximumPayloadSizeExceeded: the event of a single record is larger than 6 MB. responseContext is null.
	MaximumPayloadSizeExceeded Condition = "MaximumPayloadSizeExceeded"
	// SchemaNotFound: the registry does not know the schema of a key or value. responseContext is null.
	SchemaNotFound Condition = "SCHEMA_NOT_FOUND"
	// DeserializationError: a key or value does not follow its schema. responseContext is null.
	DeserializationError Condition = "DESERIALIZATION_ERROR"
)

// retriesExhausted is what Lambda's documents of Kafka topics call RetryAttemptsExhausted.
const retriesExhausted = "RetriesExhausted"

// Response is what the function answered last: responseContext.
type Response struct {
	// StatusCode is that of the Invoke call, 200 for a function that ran.
	StatusCode int
	// ExecutedVersion is the function's version, "$LATEST" where there are none.
	ExecutedVersion string
	// FunctionError is "Unhandled" where the function failed. It is empty, and null in the document, where the function
	// returned: it named these records in batchItemFailures.
	FunctionError string
}

// Failure is a batch of records that were given up together.
type Failure struct {
	// MappingUUID is the UUID of the event source mapping.
	MappingUUID string
	// FunctionARN is the ARN of the function, or its name where it has no ARN.
	FunctionARN string
	// Event holds the records that were given up, with its EventSource and BootstrapServers.
	Event event.KafkaEvent
	// Condition says why.
	Condition Condition
	// Invocations counts how often the function was invoked with them. The documents have at least 1, as AWS's do.
	Invocations int
	// RequestID is that of the last invocation; empty, the failure's ID takes its place.
	RequestID string
	// Response is the last answer, nil where the function was not invoked.
	Response *Response
	// Err is what the handler returned last. No document holds it: it is for Destinations of one's own.
	Err error
	// Time is when the records were given up.
	Time time.Time
}

// namespace makes the ids of failures.
var namespace = uuid.MustParse("6f0b2f0e-5d8a-5f0e-9a52-0f6a1f8a7f11")

// ID identifies the failure: a UUID of version 5 of the mapping, the records' partitions, offsets and timestamps, and
// how often they were redriven. The same records of the same mapping have the same ID in every process and after every crash.
func (f *Failure) ID() string {
	h := sha1.New() //nolint:gosec // what RFC 9562 has for version 5; nothing is kept secret by it
	h.Write(namespace[:])
	var room [binary.MaxVarintLen64]byte
	number := func(n int64) { h.Write(binary.AppendVarint(room[:0], n)) }
	text := func(s string) {
		number(int64(len(s)))
		h.Write([]byte(s))
	}
	text(f.MappingUUID)
	number(int64(f.Redrives()))
	for _, key := range f.Partitions() {
		text(key)
		records := f.Event.Records[key]
		number(int64(len(records)))
		for i := range records {
			number(records[i].Offset)
			number(records[i].Timestamp)
		}
	}
	var id uuid.UUID
	copy(id[:], h.Sum(nil))
	id[6] = id[6]&0x0f | 0x50
	id[8] = id[8]&0x3f | 0x80
	return id.String()
}

// Redrives is how often the records were brought back and failed again: what package redrive notes in the header
// AttributeRedrives of the records that it writes to a topic. Of several records it is the most.
func (f *Failure) Redrives() int {
	most := 0
	for _, records := range f.Event.Records {
		for i := range records {
			most = max(most, Redrives(&records[i]))
		}
	}
	return most
}

// Redrives is how often a record was brought back, as its header AttributeRedrives says; 0 without one.
func Redrives(r *event.KafkaRecord) int {
	for _, h := range slices.Backward(r.Headers) {
		if h.Key == AttributeRedrives {
			if n, err := strconv.Atoi(string(h.Value)); err == nil && n > 0 {
				return n
			}
			return 0
		}
	}
	return 0
}

// Partitions returns the keys of the partitions that have records, "topic-partition", in byte order.
func (f *Failure) Partitions() []string {
	keys := slices.Sorted(maps.Keys(f.Event.Records))
	return slices.DeleteFunc(keys, func(key string) bool { return len(f.Event.Records[key]) == 0 })
}

// Len returns the number of records.
func (f *Failure) Len() int {
	n := 0
	for _, records := range f.Event.Records {
		n += len(records)
	}
	return n
}

// Last returns the time of the newest record, the zero Time where none has one.
func (f *Failure) Last() time.Time {
	var last time.Time
	for _, records := range f.Event.Records {
		for i := range records {
			if at := records[i].Time(); at.After(last) {
				last = at
			}
		}
	}
	return last
}

// One returns the failure of a single record: the message of a Kafka topic.
func (f *Failure) One(r event.KafkaRecord) *Failure {
	return f.with(map[string][]event.KafkaRecord{event.PartitionKey(r.Topic, r.Partition): {r}})
}

// Split cuts the failure in two, by partitions where it has several, else by records. ok is false for a single record.
func (f *Failure) Split() (a, b *Failure, ok bool) {
	keys := f.Partitions()
	first, second := make(map[string][]event.KafkaRecord), make(map[string][]event.KafkaRecord)
	if len(keys) > 1 {
		for i, key := range keys {
			if i < len(keys)/2 {
				first[key] = f.Event.Records[key]
			} else {
				second[key] = f.Event.Records[key]
			}
		}
		return f.with(first), f.with(second), true
	}
	if f.Len() < 2 {
		return nil, nil, false
	}
	records := f.Event.Records[keys[0]]
	half := len(records) / 2
	first[keys[0]], second[keys[0]] = records[:half:half], records[half:]
	return f.with(first), f.with(second), true
}

// with returns the failure with other records.
func (f *Failure) with(records map[string][]event.KafkaRecord) *Failure {
	g := *f
	g.Event.Records = records
	if g.RequestID == "" {
		g.RequestID = f.ID() // the parts stay one invocation's
	}
	return &g
}
