package mapping

import "time"

// Mapping describes an event source mapping: the parameters of Lambda's CreateEventSourceMapping for self-managed
// Apache Kafka, under AWS's names. It is pure data: it is read from and written as the JSON of that call (Parse,
// encoding/json). If AWS allows 0 and unset means something else, the field is a pointer, and nil means unset.
type Mapping struct {
	// FunctionName names the function in logs and events; an unset UUID is derived from it.
	FunctionName string `json:"FunctionName,omitempty"`
	// UUID identifies the mapping, and is its consumer group if ConsumerGroupId is unset. If UUID is unset, it is derived
	// from FunctionName alone, not from topics, servers or time, so that every restart and every replica gets the same
	// one, and an added topic is read by the existing group. A second mapping of the same function needs its own UUID or
	// ConsumerGroupId.
	UUID string `json:"UUID,omitempty"`
	// Enabled false starts the mapping disabled: nothing is polled until Resume. Default true.
	Enabled *bool `json:"Enabled,omitempty"`
	// SelfManagedEventSource names the cluster.
	SelfManagedEventSource SelfManagedEventSource `json:"SelfManagedEventSource,omitzero"`
	// Topics are the topics to read. A name that begins with "^" is a regular expression over topic names. AWS allows
	// exactly one name.
	Topics []string `json:"Topics,omitempty"`
	// SourceAccessConfigurations name the secrets needed to reach the cluster.
	SourceAccessConfigurations []SourceAccessConfiguration `json:"SourceAccessConfigurations,omitempty"`
	// SelfManagedKafkaEventSourceConfig holds the consumer group.
	SelfManagedKafkaEventSourceConfig *SelfManagedKafkaEventSourceConfig `json:"SelfManagedKafkaEventSourceConfig,omitempty"`
	// StartingPosition is where a group without commits begins. Default TRIM_HORIZON.
	StartingPosition StartingPosition `json:"StartingPosition,omitempty"`
	// StartingPositionTimestamp is required with AT_TIMESTAMP and refused otherwise. It must not be in the future. Its
	// JSON is epoch seconds.
	StartingPositionTimestamp time.Time `json:"-"`
	// BatchSize is the most records in a batch, 1 to 10 000; default (and for 0) 100.
	BatchSize int `json:"BatchSize,omitempty"`
	// MaximumBatchingWindowInSeconds is the longest wait for a batch to fill, 0 to 300 s; 0 = send what is there; unset =
	// 500 ms.
	MaximumBatchingWindowInSeconds *int `json:"MaximumBatchingWindowInSeconds,omitempty"`
	// MaximumRetryAttempts is how often a failed batch is retried, 0 to 10 000; -1 (and unset) = until it succeeds.
	MaximumRetryAttempts *int `json:"MaximumRetryAttempts,omitempty"`
	// MaximumRecordAgeInSeconds drops older records, 60 to 604 800 s; -1 (and unset) = never.
	MaximumRecordAgeInSeconds *int `json:"MaximumRecordAgeInSeconds,omitempty"`
	// BisectBatchOnFunctionError splits a failed batch in two before it is retried. Default false.
	BisectBatchOnFunctionError bool `json:"BisectBatchOnFunctionError,omitempty"`
	// FunctionResponseTypes with ReportBatchItemFailures makes ItemFailures take effect. Default none.
	FunctionResponseTypes []FunctionResponseType `json:"FunctionResponseTypes,omitempty"`
	// FilterCriteria selects records by their value.
	FilterCriteria *FilterCriteria `json:"FilterCriteria,omitempty"`
	// DestinationConfig names the destination of records that are given up.
	DestinationConfig *DestinationConfig `json:"DestinationConfig,omitempty"`
	// ProvisionedPollerConfig bounds the pollers.
	ProvisionedPollerConfig *ProvisionedPollerConfig `json:"ProvisionedPollerConfig,omitempty"`
	// KMSKeyArn encrypts the filter criteria on AWS; it has no effect here.
	KMSKeyArn string `json:"KMSKeyArn,omitempty"`
	// MetricsConfig selects the metric groups that package observe/emf writes, as on AWS. Every metric is counted anyway.
	MetricsConfig *MetricsConfig `json:"MetricsConfig,omitempty"`
	// LoggingConfig selects the level of AWS's poller log, which WithPollerLog writes. It does not change the level of the
	// logger.
	LoggingConfig *LoggingConfig `json:"LoggingConfig,omitempty"`
	// Tags are only kept and printed.
	Tags map[string]string `json:"Tags,omitempty"`
}

// SelfManagedEventSource names the cluster.
type SelfManagedEventSource struct {
	Endpoints Endpoints `json:"Endpoints"`
}

// Endpoints are the bootstrap servers of the cluster.
type Endpoints struct {
	// KafkaBootstrapServers are addresses, host:port, at least one; AWS allows ten.
	KafkaBootstrapServers []string `json:"KAFKA_BOOTSTRAP_SERVERS"`
}

// SelfManagedKafkaEventSourceConfig holds the consumer group's settings.
type SelfManagedKafkaEventSourceConfig struct {
	// ConsumerGroupId is Kafka's group.id, up to 1,000 characters (200 on AWS); unset = the mapping's UUID.
	ConsumerGroupId string `json:"ConsumerGroupId,omitempty"`
	// ConsumptionMode is Stream (the default) or Queue.
	ConsumptionMode string `json:"ConsumptionMode,omitempty"`
	// SchemaRegistryConfig names a schema registry.
	SchemaRegistryConfig *SchemaRegistryConfig `json:"SchemaRegistryConfig,omitempty"`
}

// StartingPosition is where a group without commits begins.
type StartingPosition string

// The starting positions.
const (
	TrimHorizon StartingPosition = "TRIM_HORIZON"
	Latest      StartingPosition = "LATEST"
	AtTimestamp StartingPosition = "AT_TIMESTAMP"
)

// FunctionResponseType is an element of FunctionResponseTypes.
type FunctionResponseType string

// ReportBatchItemFailures is the only FunctionResponseType.
const ReportBatchItemFailures FunctionResponseType = "ReportBatchItemFailures"

// FilterCriteria holds up to ten filters; AWS allows five, and ten on request. A record must match one of them.
type FilterCriteria struct {
	Filters []Filter `json:"Filters,omitempty"`
}

// Filter is one pattern in EventBridge's syntax, as JSON in a string.
type Filter struct {
	Pattern string `json:"Pattern,omitempty"`
}

// DestinationConfig names destinations.
type DestinationConfig struct {
	OnFailure *Destination `json:"OnFailure,omitempty"`
	// OnSuccess is refused for Kafka, as by AWS.
	OnSuccess *Destination `json:"OnSuccess,omitempty"`
}

// Destination is an ARN (SQS, SNS, S3) or kafka://topic.
type Destination struct {
	Destination string `json:"Destination,omitempty"`
}

// ProvisionedPollerConfig bounds the pollers of this process: members of the consumer group, each with its own client.
// The scaling policy (WithScaler) chooses a number between the two; there are never more pollers than partitions
// assigned to this process. Without a ProvisionedPollerConfig there is one poller. Update changes it while the mapping
// runs.
type ProvisionedPollerConfig struct {
	// MinimumPollers is 1 to 200, default 1; MaximumPollers 1 to 2 000, default 200.
	MinimumPollers  *int   `json:"MinimumPollers,omitempty"`
	MaximumPollers  *int   `json:"MaximumPollers,omitempty"`
	PollerGroupName string `json:"PollerGroupName,omitempty"`
}

// SchemaRegistryConfig names a schema registry.
type SchemaRegistryConfig struct {
	SchemaRegistryURI       string                      `json:"SchemaRegistryURI,omitempty"`
	EventRecordFormat       string                      `json:"EventRecordFormat,omitempty"`
	AccessConfigs           []SourceAccessConfiguration `json:"AccessConfigs,omitempty"`
	SchemaValidationConfigs []SchemaValidationConfig    `json:"SchemaValidationConfigs,omitempty"`
}

// SchemaValidationConfig names a part of the record to validate: KEY or VALUE.
type SchemaValidationConfig struct {
	Attribute string `json:"Attribute,omitempty"`
}

// MetricsConfig selects metric groups.
type MetricsConfig struct {
	Metrics []string `json:"Metrics,omitempty"`
}

// LoggingConfig selects the level of AWS's poller logs.
type LoggingConfig struct {
	SystemLogLevel string `json:"SystemLogLevel,omitempty"`
}
