// Package pollerlog writes the log of Lambda's poller: the three events that an event source mapping with LoggingConfig logs, with
// AWS's fields.
package pollerlog

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"strconv"
	"sync"
	"time"
)

// The levels of LoggingConfig.SystemLogLevel, the most detailed first. Each includes the events of those after it.
const (
	Debug = "DEBUG"
	Info  = "INFO"
	Warn  = "WARN"
)

// Log writes events. It is safe for concurrent use, also by several mappings.
type Log struct {
	mu      sync.Mutex
	out     io.Writer
	handler slog.Handler
	arn     func(uuid string) string
}

// New returns a Log that writes each event as a line of JSON. A line that cannot be written is lost.
func New(out io.Writer, opts ...Option) *Log { return (&Log{out: out}).with(opts) }

// NewHandler returns a Log that passes each event to a handler, with its type as the message and its fields as attributes.
func NewHandler(h slog.Handler, opts ...Option) *Log { return (&Log{handler: h}).with(opts) }

// Option configures a Log.
type Option func(*Log)

// WithResourceARN sets the function that returns an event's resourceArn for the UUID of a mapping. Default: an ARN
// without Region and account. arn must be safe for concurrent use.
func WithResourceARN(arn func(uuid string) string) Option {
	return func(l *Log) {
		if arn != nil {
			l.arn = arn
		}
	}
}

func (l *Log) with(opts []Option) *Log {
	l.arn = func(uuid string) string { return "arn:aws:lambda:::event-source-mapping:" + uuid }
	for _, o := range opts {
		o(l)
	}
	return l
}

// Origin identifies the mapping and the poller that an event comes from.
type Origin struct {
	// Level is the mapping's SystemLogLevel. Without one no event is written.
	Level string
	// UUID is the mapping's, and Poller the number of the poller: the eventProcessorId is "UUID/Poller".
	UUID   string
	Poller int
	// EventSourceARN names the cluster.
	EventSourceARN string
}

// ProcessingError is the error of an ESM_PROCESSING_EVENT.
type ProcessingError struct {
	ErrorMessage string `json:"errorMessage"`
	// ErrorCode is the name of the exception in Kafka's Java client, if there is one.
	ErrorCode string `json:"errorCode"`
}

// Connection describes a poller in a POLLER_STATUS_EVENT.
type Connection struct {
	BrokerEndpoints                string   `json:"brokerEndpoints"`
	ConsumerID                     string   `json:"consumerId"`
	Topics                         []string `json:"topics"`
	ConsumerGroupId                string   `json:"consumerGroupId"`
	SecurityProtocol               string   `json:"securityProtocol"`
	SASLMechanism                  string   `json:"saslMechanism,omitempty"`
	TotalPartitionCount            int      `json:"totalPartitionCount"`
	AssignedPartitionCount         int      `json:"assignedPartitionCount"`
	PartitionsAssignmentGeneration int      `json:"partitionsAssignmentGeneration"`
	AssignedPartitions             []string `json:"assignedPartitions"`
	NetworkConfig                  *Network `json:"networkConfig,omitempty"`
}

// Network is the part of a Connection about Lambda's VPC. Nothing in this module sets it.
type Network struct {
	IPAddresses    []string `json:"ipAddresses"`
	SubnetCIDR     string   `json:"subnetCidrBlock"`
	SecurityGroups []string `json:"securityGroups"`
}

// Offsets are those of one partition in a KAFKA_STATUS_EVENT. ConsumedOffset and ProcessedOffset are offsets of
// records. EndOffset and CommittedOffset are offsets of the next record. Each is -1 if unknown.
type Offsets struct {
	Partition       string `json:"partition"`
	EndOffset       int64  `json:"endOffset"`
	ConsumedOffset  int64  `json:"consumedOffset"`
	ProcessedOffset int64  `json:"processedOffset"`
	CommittedOffset int64  `json:"committedOffset"`
}

// event has the fields in AWS's order.
type event struct {
	EventType        string           `json:"eventType"`
	Timestamp        int64            `json:"timestamp"`
	ResourceARN      string           `json:"resourceArn"`
	EventSourceARN   string           `json:"eventSourceArn"`
	EventProcessorID string           `json:"eventProcessorId"`
	LogLevel         string           `json:"logLevel"`
	Error            *ProcessingError `json:"error,omitempty"`
	Connection       *Connection      `json:"kafkaEventSourceConnection,omitempty"`
	Offsets          *Offsets         `json:"kafkaPartitionOffsets,omitempty"`
}

// Processing writes an ESM_PROCESSING_EVENT, at level WARN: something went wrong.
func (l *Log) Processing(o Origin, e ProcessingError) {
	l.write(o, event{EventType: "ESM_PROCESSING_EVENT", LogLevel: Warn, Error: &e})
}

// PollerStatus writes a POLLER_STATUS_EVENT, at level INFO: a consumer was created, or its partitions have changed.
func (l *Log) PollerStatus(o Origin, c Connection) {
	l.write(o, event{EventType: "POLLER_STATUS_EVENT", LogLevel: Info, Connection: &c})
}

// KafkaStatus writes a KAFKA_STATUS_EVENT, at level DEBUG: the offsets of a partition.
func (l *Log) KafkaStatus(o Origin, p Offsets) {
	l.write(o, event{EventType: "KAFKA_STATUS_EVENT", LogLevel: Debug, Offsets: &p})
}

// Enabled reports whether a mapping with the SystemLogLevel configured logs events of a level.
func Enabled(configured, level string) bool {
	return severity(configured) > 0 && severity(level) >= severity(configured)
}

func severity(level string) int {
	switch level {
	case Debug:
		return 1
	case Info:
		return 2
	case Warn:
		return 3
	}
	return 0
}

func (l *Log) write(o Origin, e event) {
	if !Enabled(o.Level, e.LogLevel) {
		return
	}
	now := time.Now()
	e.Timestamp, e.ResourceARN, e.EventSourceARN, e.EventProcessorID = now.UnixMilli(), l.arn(o.UUID), o.EventSourceARN, o.UUID+"/"+strconv.Itoa(o.Poller)
	if l.handler != nil {
		l.handle(now, &e)
		return
	}
	line, err := json.Marshal(e)
	if err != nil { // cannot happen: strings and integers only
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	_, _ = l.out.Write(append(line, '\n'))
}

func (l *Log) handle(now time.Time, e *event) {
	level := map[string]slog.Level{Debug: slog.LevelDebug, Info: slog.LevelInfo, Warn: slog.LevelWarn}[e.LogLevel]
	ctx := context.Background()
	if !l.handler.Enabled(ctx, level) {
		return
	}
	r := slog.NewRecord(now, level, e.EventType, 0)
	r.AddAttrs(slog.String("eventType", e.EventType), slog.Int64("timestamp", e.Timestamp), slog.String("resourceArn", e.ResourceARN),
		slog.String("eventSourceArn", e.EventSourceARN), slog.String("eventProcessorId", e.EventProcessorID), slog.String("logLevel", e.LogLevel))
	switch {
	case e.Error != nil:
		r.AddAttrs(slog.Any("error", e.Error))
	case e.Connection != nil:
		r.AddAttrs(slog.Any("kafkaEventSourceConnection", e.Connection))
	case e.Offsets != nil:
		r.AddAttrs(slog.Any("kafkaPartitionOffsets", e.Offsets))
	}
	_ = l.handler.Handle(ctx, r)
}
