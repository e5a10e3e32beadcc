package api

import (
	"encoding/json"
	"strconv"
	"time"

	"github.com/esm-go/esm"
	"github.com/esm-go/esm/manager"
	"github.com/esm-go/esm/mapping"
)

// epoch is a time as AWS encodes it: seconds since the Unix epoch, with milliseconds.
type epoch time.Time

func (t epoch) MarshalJSON() ([]byte, error) {
	return strconv.AppendFloat(nil, float64(time.Time(t).UnixMilli())/1000, 'f', -1, 64), nil
}

// mappingAnswer is an EventSourceMappingConfiguration. Unset parameters are absent, as in AWS's recorded answers for a
// mapping of a self-managed cluster.
type mappingAnswer struct {
	UUID                              string                                 `json:"UUID"`
	StartingPosition                  esm.StartingPosition                   `json:"StartingPosition,omitempty"`
	StartingPositionTimestamp         *epoch                                 `json:"StartingPositionTimestamp,omitempty"`
	BatchSize                         int                                    `json:"BatchSize"`
	MaximumBatchingWindowInSeconds    *int                                   `json:"MaximumBatchingWindowInSeconds,omitempty"`
	FilterCriteria                    *esm.FilterCriteria                    `json:"FilterCriteria,omitempty"`
	KMSKeyArn                         string                                 `json:"KMSKeyArn,omitempty"`
	MetricsConfig                     *mapping.MetricsConfig                 `json:"MetricsConfig,omitempty"`
	LoggingConfig                     *mapping.LoggingConfig                 `json:"LoggingConfig,omitempty"`
	FunctionArn                       string                                 `json:"FunctionArn"`
	LastModified                      epoch                                  `json:"LastModified"`
	LastProcessingResult              string                                 `json:"LastProcessingResult"`
	State                             esm.State                              `json:"State"`
	StateTransitionReason             string                                 `json:"StateTransitionReason"`
	DestinationConfig                 *esm.DestinationConfig                 `json:"DestinationConfig,omitempty"`
	Topics                            []string                               `json:"Topics"`
	SourceAccessConfigurations        []esm.SourceAccessConfiguration        `json:"SourceAccessConfigurations,omitempty"`
	SelfManagedEventSource            esm.SelfManagedEventSource             `json:"SelfManagedEventSource"`
	MaximumRecordAgeInSeconds         *int                                   `json:"MaximumRecordAgeInSeconds,omitempty"`
	BisectBatchOnFunctionError        bool                                   `json:"BisectBatchOnFunctionError,omitempty"`
	MaximumRetryAttempts              *int                                   `json:"MaximumRetryAttempts,omitempty"`
	FunctionResponseTypes             []esm.FunctionResponseType             `json:"FunctionResponseTypes,omitempty"`
	SelfManagedKafkaEventSourceConfig *esm.SelfManagedKafkaEventSourceConfig `json:"SelfManagedKafkaEventSourceConfig,omitempty"`
	EventSourceMappingArn             string                                 `json:"EventSourceMappingArn"`
	ProvisionedPollerConfig           *esm.ProvisionedPollerConfig           `json:"ProvisionedPollerConfig,omitempty"`
}

type listAnswer struct {
	NextMarker          string           `json:"NextMarker,omitempty"`
	EventSourceMappings []*mappingAnswer `json:"EventSourceMappings"`
}

func answerOf(d manager.Description) *mappingAnswer {
	m := d.Mapping
	tidy(&m)
	a := &mappingAnswer{
		UUID: m.UUID, StartingPosition: m.StartingPosition, BatchSize: m.BatchSize, MaximumBatchingWindowInSeconds: m.MaximumBatchingWindowInSeconds,
		FilterCriteria: m.FilterCriteria, KMSKeyArn: m.KMSKeyArn, MetricsConfig: m.MetricsConfig, LoggingConfig: m.LoggingConfig,
		FunctionArn: d.FunctionARN, LastModified: epoch(d.LastModified), LastProcessingResult: d.LastProcessingResult,
		State: d.State, StateTransitionReason: d.StateTransitionReason, DestinationConfig: m.DestinationConfig, Topics: m.Topics,
		SourceAccessConfigurations: m.SourceAccessConfigurations, SelfManagedEventSource: m.SelfManagedEventSource,
		MaximumRecordAgeInSeconds: m.MaximumRecordAgeInSeconds, BisectBatchOnFunctionError: m.BisectBatchOnFunctionError,
		MaximumRetryAttempts: m.MaximumRetryAttempts, FunctionResponseTypes: m.FunctionResponseTypes,
		SelfManagedKafkaEventSourceConfig: m.SelfManagedKafkaEventSourceConfig, EventSourceMappingArn: d.ARN, ProvisionedPollerConfig: m.ProvisionedPollerConfig,
	}
	if t := m.StartingPositionTimestamp; !t.IsZero() {
		at := epoch(t)
		a.StartingPositionTimestamp = &at
	}
	return a
}

var _ json.Marshaler = epoch{}
