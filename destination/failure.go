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

// Condition says why records were given up. It is requestContext.condition.
type Condition string

const (
	// RetryAttemptsExhausted: the function failed once more than MaximumRetryAttempts allows, or rejected the records
	// permanently. Lambda's documents for Kafka topics have RetriesExhausted instead; [Parse] maps both to this value.
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

// retriesExhausted is the name of RetryAttemptsExhausted in Lambda's documents for Kafka topics.
const retriesExhausted = "RetriesExhausted"

// Response is the function's last answer. It is responseContext.
type Response struct {
	// StatusCode is the status of the Invoke call, 200 if the function ran.
	StatusCode int
	// ExecutedVersion is the function's version, "$LATEST" if it has none.
	ExecutedVersion string
	// FunctionError is "Unhandled" if the function failed. If the function returned and named these records in
	// batchItemFailures, it is empty, and null in the document.
	FunctionError string
}

// Failure is a batch of records that were given up together.
type Failure struct {
	// MappingUUID is the UUID of the event source mapping.
	MappingUUID string
	// FunctionARN is the function's ARN, or its name if it has no ARN.
	FunctionARN string
	// Event holds the records that were given up, with EventSource and BootstrapServers set.
	Event event.KafkaEvent
	// Condition says why they were given up.
	Condition Condition
	// Invocations counts how often the function was invoked with the records. The documents say at least 1, as AWS's
	// do.
	Invocations int
	// RequestID is the ID of the last invocation. If it is empty, the documents use the failure's ID.
	RequestID string
	// Response is the last answer, nil if the function was not invoked.
	Response *Response
	// Err is the handler's last error. No document contains it: it is meant for custom Destinations.
	Err error
	// Time is when the records were given up.
	Time time.Time
}

// namespace is the UUID namespace of failure IDs.
var namespace = uuid.MustParse("6f0b2f0e-5d8a-5f0e-9a52-0f6a1f8a7f11")

// ID identifies the failure: a version 5 UUID of the mapping, the records' partitions, offsets and timestamps, and how
// often they were redriven. The same records of the same mapping have the same ID in every process and after every
// crash.
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

// Redrives returns how often the records were brought back and failed again. Package redrive counts that in the header
// AttributeRedrives of the records that it writes to a topic. If the records differ, Redrives returns the maximum.
func (f *Failure) Redrives() int {
	most := 0
	for _, records := range f.Event.Records {
		for i := range records {
			most = max(most, Redrives(&records[i]))
		}
	}
	return most
}

// Redrives returns how often a record was brought back, according to its header AttributeRedrives; 0 if it has none.
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

// Last returns the time of the newest record, or the zero Time if no record has a timestamp.
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

// One returns the failure of a single record, as one message of a Kafka topic reports it.
func (f *Failure) One(r event.KafkaRecord) *Failure {
	return f.with(map[string][]event.KafkaRecord{event.PartitionKey(r.Topic, r.Partition): {r}})
}

// Split divides the failure in two: by partitions if it has several, else by records. ok is false for a single record.
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

// with returns a copy of the failure with other records.
func (f *Failure) with(records map[string][]event.KafkaRecord) *Failure {
	g := *f
	g.Event.Records = records
	if g.RequestID == "" {
		g.RequestID = f.ID() // the parts keep the ID of one invocation
	}
	return &g
}
